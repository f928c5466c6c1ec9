"""What was audited, in a few lines for a cover."""

from __future__ import annotations

from fairaudit.reports.generators import audited
from fairaudit.reports.names import IMAGES
from fairaudit.reports.numbers import count, discrepancy, listing, shorten
from fairaudit.reports.verdicts import cover

from fairaudit.plan import AuditPlan
from fairaudit.results import Results


def facts(plan: AuditPlan, results: Results, attributes: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Name and text of each line."""
    found = [a for sampler in results.samplers.values() for a in sampler.attributes.values()]
    several = len(results.samplers) > 1
    lines = {
        "Audited": shorten(audited(results), 160),
        "Perceived": listing([_values(results, attribute) for attribute in attributes]),
        "Samplers": "" if IMAGES in results.samplers else shorten(listing(list(results.samplers)), 300),
        "Images": f"{results.n:,}{' of each sampler' if several else ''}",
        "Prompts": f"{len(plan.prompts):,}" if plan.prompts else "",
        "Labels by": listing(list(dict.fromkeys(result.classifier for result in found))),
        "Fair is": f"a fairness discrepancy of at most {discrepancy(plan.measurement.tolerance)}, shown "
        f"with {cover(plan)} confidence",
    }
    return tuple((name, text) for name, text in lines.items() if text)


def _values(results: Results, attribute: str) -> str:
    values = next(
        list(sampler.attributes[attribute].shares)
        for sampler in results.samplers.values()
        if attribute in sampler.attributes
    )
    return f"{attribute} ({count(len(values), 'value')}: {shorten(', '.join(values), 90)})"
