"""Which formulas the method appendix shows: those that a number of this report rests on."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.plan import AuditPlan
from fairaudit.results import AttributeResult, Results


def formulas(plan: AuditPlan, results: Results) -> tuple[str, ...]:
    """Names of the formulas in `templates/formulas.typ`, in the order in which a reader needs them."""
    whole = [found for sampler in results.samplers.values() for found in sampler.attributes.values()]
    single = [
        found
        for sampler in results.samplers.values()
        for prompt in sampler.prompts.values()
        for found in prompt.attributes.values()
    ]
    found = [
        *_samplers(plan),
        *_shares(whole),
        *_discrepancy(whole),
        *_tests([*whole, *single]),
        *_extras(results, whole),
        *_between(results),
        *_measures(results),
    ]
    return tuple(dict.fromkeys(found))


def _samplers(plan: AuditPlan) -> Iterator[str]:
    names = {sampler.name for sampler in plan.samplers}
    if names & {"baseline", "switching", "guidance"}:
        yield "classifier-free"
    yield from (name for name in ("switching", "guidance") if name in names)


def _shares(whole: list[AttributeResult]) -> Iterator[str]:
    used = {name for found in whole for name in (found.estimator, *found.other_estimators)}
    # Corrected shares stand beside raw ones.
    yield "raw"
    yield from (name for name in ("corrected", "soft", "em") if name in used)


def _discrepancy(whole: list[AttributeResult]) -> Iterator[str]:
    yield "fd"
    if any(found.fd_prompts for found in whole):
        yield "fd-prompts"
    if any(found.fd.null95 is not None for found in whole):
        yield "null-band"


_TESTS = {
    "exact binomial": "binomial",
    "chi-square": "chi-square",
    "Monte Carlo multinomial": "multinomial",
    "classifier's errors": "confused",
}
"""What the name of a test holds, to the formula."""


def _tests(found: list[AttributeResult]) -> Iterator[str]:
    names = " ".join(sorted({one.test for one in found if one.test}))
    yield from (key for part, key in _TESTS.items() if part in names)
    if any(one.p_adjusted is not None for one in found):
        yield "holm"
    if any(one.p_bh is not None for one in found):
        yield "benjamini-hochberg"
    if any(one.equivalence for one in found):
        yield "equivalence"


def _extras(results: Results, whole: list[AttributeResult]) -> Iterator[str]:
    samplers = results.samplers.values()
    asked = {
        "indices": any(found.indices for found in whole),
        "across": any(found.across_prompts for found in whole),
        "amplification": any(found.bias_amplification for found in whole),
        "directional": any(found.directional_amplification for found in whole),
        "intersection": any(sampler.intersections for sampler in samplers),
        "obfuscation": any(sampler.obfuscation for sampler in samplers),
        "kappa": any(sampler.agreement for sampler in samplers),
        "powered": any(sampler.human for sampler in samplers),
        "sequential": results.stopping is not None,
    }
    yield from (key for key, there in asked.items() if there)


def _between(results: Results) -> Iterator[str]:
    if any(item.paired and item.metric.rpartition(".")[2].startswith("fd") for item in results.comparisons):
        yield "paired"
    tests = " ".join(item.changes.test for item in results.comparisons if item.changes)
    if "McNemar" in tests:
        yield "mcnemar"
    if "Maxwell" in tests:
        yield "stuart-maxwell"


_MEASURES = {
    "frechet": ("frechet", "fid", "clip_fid"),
    "infinity": ("frechet_infinity", "fid_infinity", "clip_fid_infinity"),
    "kernel": ("kernel", "kid", "cmmd"),
    "precision": ("precision", "recall"),
    "density": ("density", "coverage"),
    "clip-score": ("clip_score",),
    "vendi": ("vendi",),
    "cosine": ("feature_cosine", "clip_i", "dino"),
}
"""Formula to the keys of the measures that it says best."""


def _measures(results: Results) -> Iterator[str]:
    """Of every measure of quality and utility that has a value."""
    keys = {
        metric.partition(":")[0].rpartition(".")[2]
        for sampler in results.samplers.values()
        for metric, estimate in (sampler.quality | sampler.utility).items()
        if estimate.value is not None
    }
    keys |= {"vendi" for sampler in results.samplers.values() if sampler.diversity}
    yield from (formula for formula, measures in _MEASURES.items() if keys.intersection(measures))
