"""How it was measured, what it does not say, and how to do it again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from fairaudit.reports.cells import heading, sampler_column
from fairaudit.reports.estimators import FROM_PROBABILITIES, LEAVES_OUT
from fairaudit.reports.model import Cell, Column, Recipe, Table
from fairaudit.reports.names import FAIRFACE, metric_title, outcome_title
from fairaudit.reports.numbers import count, discrepancy, known, listing, shorten
from fairaudit.reports.shares import transfers
from fairaudit.reports.verdicts import cover, headline

from fairaudit.pictures.collection import first_of_each_kind
from fairaudit.plan import AuditPlan, SamplerPlan
from fairaudit.prompt_sets import LABOUR_SOURCE, are_labour
from fairaudit.reporting import ReportInput
from fairaudit.results import AttributeResult, EstimatorName, Results

SKIPPED_SHOWN = 10


def all_attributes(results: Results) -> Iterable[AttributeResult]:
    """Every attribute's result of every sampler, prompts aside."""
    return (found for sampler in results.samplers.values() for found in sampler.attributes.values())


def method(plan: AuditPlan, results: Results) -> tuple[str, ...]:
    """The method in plain sentences, only the parts that this audit used."""
    found = list(all_attributes(results))
    within = any(result.fd_prompts for result in found)
    parts = [
        *_labels(found),
        _intervals(plan, found),
        _fd(found),
        _WITHIN if within else "",
        *_own_targets(plan),
        _tests(plan, found),
        _equivalence(found),
        _false_discoveries(results),
        *transfers(results),
        _quality(results),
    ]
    if len(results.samplers) > 1:
        parts.append(
            "All samplers start from the same noise, image by image, so that differences between "
            "them are paired."
            if all(comparison.paired for comparison in results.comparisons)
            else "Samplers start from the same noise, image by image, so that differences between them are "
            "paired. Images that were there already do not: they are compared as sets, unpaired."
        )
    return tuple(part for part in parts if part)


def _fd(found: list[AttributeResult]) -> str:
    soft = any(result.estimator in FROM_PROBABILITIES for result in found)
    labels = "the classifier's probabilities" if soft else "hard labels"
    return (
        "The fairness discrepancy (FD, Choi et al. 2020) is the L2 norm of shares minus target, not "
        f"squared, from {labels}. It is positive by chance even for a fair generator; the null band says "
        "how far a fair one would get at this number of images."
    )


_USE: dict[EstimatorName, str] = {
    "corrected": (
        ", and shares are corrected for them with that confusion matrix; raw shares stand beside them."
    ),
    "em": ". " + LEAVES_OUT["em"] + " Raw shares stand beside them.",
    "soft": ", but soft shares are not corrected for them. " + LEAVES_OUT["soft"],
    "raw": ", but raw shares are not corrected for them.",
}
"""What becomes of the calibration."""

_WITHIN = (
    "FD within prompts is the root mean square of the prompts' FDs, corrected for what chance adds. The "
    "verdict rests on it, because opposite biases of two prompts cancel in the pooled shares; its "
    "p-value is the smallest adjusted one."
)


def _own_targets(plan: AuditPlan) -> Iterable[str]:
    """What prompts with targets of their own are held against."""
    for attribute, targets in plan.prompt_targets.items():
        from_labour = are_labour(targets) if attribute == "gender" else False
        source = f": {LABOUR_SOURCE}" if from_labour else ""
        yield (
            f"Prompts have targets of {attribute} of their own{source}. Each prompt is held against its own, "
            "and all images together against the mean of their prompts' targets."
        )


def _labels(found: list[AttributeResult]) -> Iterable[str]:
    for classifier in dict.fromkeys(result.classifier for result in found):
        own = [result for result in found if result.classifier == classifier]
        data = list(dict.fromkeys(result.calibration for result in own if result.calibration))
        if data:
            used = dict.fromkeys(result.estimator for result in own if result.calibration)
            yield (
                f"Labels come from {classifier}. Its errors were measured on {listing(data)}"
                + "".join(_USE[estimator] for estimator in used)
            )
        if any(result.calibration is None for result in own):
            yield (
                f"Labels come from {classifier}, which is not calibrated for every attribute here: "
                "shares marked “uncalibrated” carry the classifier's errors."
            )


def _intervals(plan: AuditPlan, found: list[AttributeResult]) -> str:
    methods = {share.method for result in found for share in result.shares.values()}
    methods |= {result.fd.method for result in found}
    pooled = (
        " They are about these prompts, with images drawn within each; other prompts may differ more."
        if len(plan.prompts) > 1
        else ""
    )
    return (
        f"Intervals cover the true value with {cover(plan)} confidence ({listing(sorted(methods))})."
        f"{pooled} The raw worst case of a share counts every image without a label for, or against, it."
    )


def _tests(plan: AuditPlan, found: list[AttributeResult]) -> str:
    tests = {result.test for result in found if result.test}
    if not tests:
        return "No test against the target was run."
    return (
        f"Tests against the target: {listing(sorted(tests))}. p-values are adjusted by Holm's method "
        f"within each family of tests; the level is {plan.measurement.level:g}. An FD of up to "
        f"{discrepancy(plan.measurement.tolerance)} counts as fair, and only where its whole interval "
        "is below that; unfair takes a significant test; all else is not enough evidence."
    )


def _equivalence(found: list[AttributeResult]) -> str:
    tests = sorted({result.equivalence.test for result in found if result.equivalence})
    return (
        f"Being within a distance of the target is tested by itself ({listing(tests)}): a small p shows it, "
        "while a large p of the test of difference shows nothing."
        if tests
        else ""
    )


def _false_discoveries(results: Results) -> str:
    prompts = (p for sampler in results.samplers.values() for p in sampler.prompts.values())
    adjusted = [
        *(found.p_bh for found in all_attributes(results)),
        *(found.p_bh for prompt in prompts for found in prompt.attributes.values()),
        *(found.p_bh for found in results.comparisons),
    ]
    return (
        "BH marks p-values adjusted by Benjamini & Hochberg (1995) instead of Holm: they bound the expected "
        "fraction of false alarms among the findings, not the chance of a single one."
        if any(p is not None for p in adjusted)
        else ""
    )


def _quality(results: Results) -> str:
    methods = {
        metric_title(metric): estimate.method
        for sampler in results.samplers.values()
        for metric, estimate in (sampler.quality | sampler.utility).items()
        if known(estimate.value)
    }
    named = [f"{title} ({method})" for title, method in methods.items()]
    return f"Quality and utility: {listing(named)}." if named else ""


def recipes(plan: AuditPlan, results: Results) -> tuple[Recipe, ...]:
    """Every sampler with all its parameters."""
    planned = {sampler.key: sampler for sampler in plan.samplers}
    return tuple(
        Recipe(
            headline(name, results),
            found.title,
            tuple((key, scalar(value)) for key, value in found.parameters.items()),
            _about(planned.get(name), found.generator),
        )
        for name, found in results.samplers.items()
    )


def _about(sampler: SamplerPlan | None, generator: str | None) -> str:
    """The sampler's own name where it has a label, and what it ran on where that differs."""
    own = [f"the sampler {sampler.name}"] if sampler and sampler.label else []
    return ", ".join([*own, *([f"on {generator}"] if generator else [])])


def scalar(value: Any) -> str:
    """A parameter or a manifest entry as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def outcomes_table(results: Results) -> Table:
    """Every outcome counted, per sampler and attribute."""
    rows = [
        (name, attribute, found)
        for name, sampler in results.samplers.items()
        for attribute, found in sampler.attributes.items()
    ]
    kinds = list(dict.fromkeys(["labelled", *(kind for *_, found in rows for kind in found.outcomes)]))
    columns = (
        sampler_column(results),
        Column("Attribute", numeric=False),
        *(Column(outcome_title(kind)) for kind in kinds),
    )
    cells = tuple(
        (
            heading(name),
            Cell(attribute),
            *(Cell(f"{found.outcomes.get(kind, 0):,}", sort=found.outcomes.get(kind, 0)) for kind in kinds),
        )
        for name, attribute, found in rows
    )
    return Table("outcomes", "Outcomes of the images", columns, cells)


def skipped(results: Results) -> tuple[tuple[tuple[str, str], ...], str]:
    """The first skipped files of each kind with their reasons, and a sentence that counts all."""
    first = first_of_each_kind(results.skipped, SKIPPED_SHOWN, 10 * SKIPPED_SHOWN)
    shown = tuple((shorten(name, 120), why) for name, why in first.items())
    if not shown:
        return (), ""
    kinds = [f"{kind} ({number:,})" for kind, number in results.skipped_counts.items()]
    why = f" {shorten('; '.join(kinds), 1000)}." if len(kinds) > 1 else ""
    each = f"The first {SKIPPED_SHOWN} of each kind are listed here, more of them in results.json."
    more = f" {each}" if results.unusable > len(shown) else ""
    return shown, f"{count(results.unusable, 'input file')} could not be used.{why}{more}"


def manifest(entries: Any, prefix: str = "") -> tuple[tuple[str, str], ...]:
    """The manifest as flat rows."""
    if not isinstance(entries, dict):
        return ((prefix, scalar(entries)),)
    rows = [manifest(value, f"{prefix}.{key}" if prefix else str(key)) for key, value in entries.items()]
    return tuple(row for part in rows for row in part)


def attributions(report: ReportInput) -> tuple[str, ...]:
    """Whom to credit for what the audit used."""
    used = [*report.plan.generators, report.plan.classifier, report.results.generator]
    used += [result.classifier for result in all_attributes(report.results)]
    return (FAIRFACE,) if any(name.startswith("builtin:") for name in used) else ()
