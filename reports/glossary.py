"""The words of a report in plain words: only those that it uses."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.reports.measured_terms import measured_terms
from fairaudit.reports.model import Term
from fairaudit.reports.numbers import discrepancy, listing
from fairaudit.reports.verdicts import cover

from fairaudit.attributes import ATTRIBUTES
from fairaudit.plan import AuditPlan
from fairaudit.results import AttributeResult, Comparison, EstimatorName, Results


def glossary(plan: AuditPlan, results: Results) -> tuple[Term, ...]:
    """The terms that this report uses, by the alphabet.

    Parameters
    ----------
    plan
        Its level and tolerance are named where they belong to a meaning.
    results
        Decide which terms occur.
    """
    found = [result for sampler in results.samplers.values() for result in sampler.attributes.values()]
    terms = [
        *_labels(results),
        *_shares(found),
        *_fairness(plan, found),
        *_chance(plan, results, found),
        *_samplers(results),
        *measured_terms(results),
    ]
    return tuple(sorted(terms, key=lambda term: term.name.lower()))


def _labels(results: Results) -> Iterator[Term]:
    attributes = {name: found for s in results.samplers.values() for name, found in s.attributes.items()}
    yield Term(
        "perceived attribute",
        f"What a classifier sees in a picture, here {listing(list(attributes))}. It says how a picture "
        "reads, never who a person is.",
    )
    for name, (title, meaning) in _ATTRIBUTES.items():
        if name in attributes and set(attributes[name].shares) <= set(ATTRIBUTES[name].values):
            yield Term(title, meaning.format(listing(list(attributes[name].shares))))
    yield Term(
        "outcome",
        "What became of a picture: labelled, or the reason why it has no label, such as no face. Pictures "
        "without a label are counted, never dropped.",
    )


_ATTRIBUTES = {
    "gender": (
        "gender labels",
        "Two words, {}, because the classifier was taught two and reads every face as one of them. Of people "
        "who are neither the numbers say nothing.",
    ),
    "race": (
        "race categories",
        "The words that FairFace's annotators sorted photographs of strangers into: {}. They are a coarse "
        "convention, with no firm border between them and no claim about descent.",
    ),
    "age": ("age", "How old a face looks, in the ranges of FairFace."),
}
"""By built-in attribute: the term, and its meaning with a place for the values."""


def _shares(found: list[AttributeResult]) -> Iterator[Term]:
    yield Term("share", "Estimated fraction of the pictures that have a value, among all with a label.")
    yield Term("target", "The shares that count as fair. They are chosen for this audit, not measured.")
    if any(result.calibration for result in found):
        yield Term(
            "calibration",
            "Pictures whose true values are known, on which the classifier's errors were counted.",
        )
    if any(result.planted for result in found):
        yield Term("planted share", "A share among the generator's training pictures, where that is known.")
    if any(share.bounds for result in found for share in result.shares.values()):
        yield Term(
            "worst case",
            "What a raw share could be if every picture without a label had that value, or none had.",
        )
    used = {result.estimator for result in found}
    used |= {name for result in found for name in result.other_estimators}
    # A corrected share has the raw one beside it.
    used |= {"raw"} if used & {"corrected", "em"} else set()
    yield from (term for name, term in _ESTIMATORS.items() if name in used)


_ESTIMATORS: dict[EstimatorName, Term] = {
    "raw": Term("raw share", "Labels counted as they are, with the classifier's errors in them."),
    "soft": Term(
        "soft share",
        "Mean of the classifier's probabilities. Doubt pulls it towards the shares among the faces that the "
        "classifier learned from.",
    ),
    "corrected": Term(
        "corrected share",
        "A share out of which the classifier's errors are taken, as its calibration counted them. It assumes "
        "that the classifier errs on these pictures as it did there.",
    ),
    "em": Term(
        "EM share",
        "The share that the classifier's probabilities settle on when they are weighed by it in turn. It "
        "leaves out errors that the probabilities do not admit.",
    ),
}


def _fairness(plan: AuditPlan, found: list[AttributeResult]) -> Iterator[Term]:
    yield Term(
        "FD (fairness discrepancy)",
        "Distance of the shares from the target: the root of the summed squared differences. 0 is on target.",
    )
    if any(result.fd_prompts for result in found):
        yield Term(
            "FD within prompts",
            "The prompts' FDs taken together (root mean square), without what chance adds. Opposite biases "
            "of two prompts add up here, and cancel when pictures of all prompts are pooled.",
        )
    if any(result.fd.null95 is not None for result in found):
        yield Term(
            "null band",
            "How far from the target even a fair generator gets by chance at this number of pictures: with "
            f"{cover(plan)} chance it stays within.",
        )
    yield Term(
        "verdict",
        f"Fair: the whole interval of FD is up to {discrepancy(plan.measurement.tolerance)}, the tolerance. "
        "Unfair: a test shows a difference from the target. Not enough evidence: neither is shown.",
    )
    if any(result.bias_amplification for result in found):
        yield Term(
            "bias amplification",
            "How much further than its training pictures a generator leans to the side that they lean to. "
            "Above 0 it exaggerates, below 0 it softens.",
        )


def _chance(plan: AuditPlan, results: Results, found: list[AttributeResult]) -> Iterator[Term]:
    errors = any(result.estimator == "corrected" for result in found)
    yield Term(
        "interval",
        f"Holds the true value in {cover(plan)} of audits like this one. It covers the chance in which "
        f"pictures were drawn{' and in which the classifier’s errors were counted' if errors else ''}; it "
        "covers no mistake in what was asked or how it was read.",
    )
    tested: list[AttributeResult | Comparison] = [*found, *results.comparisons]
    if any(one.p_value is not None for one in tested):
        adjusted = any(one.p_adjusted is not None for one in tested)
        yield Term(
            "p-value",
            "How often chance alone gives a difference at least as large as the one seen. Small speaks "
            "against chance, large shows nothing."
            + (" Adjusted (Holm): made larger because several tests were made." if adjusted else ""),
        )


def _samplers(results: Results) -> Iterator[Term]:
    if len(results.samplers) < 2:
        return
    yield Term("sampler", "A way to draw pictures from a generator. Debiasing samplers aim at the target.")
    if "baseline" in results.samplers:
        yield Term("baseline", "The generator as it is, without debiasing.")
    if any(item.paired for item in results.comparisons):
        yield Term(
            "same noise",
            "A generator turns random noise into a picture. Every sampler gets the same noise, so that two "
            "pictures of a row differ by the sampler alone.",
        )
