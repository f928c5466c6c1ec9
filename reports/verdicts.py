"""The verdicts in sentences, each said only as far as the numbers carry it."""

from __future__ import annotations

from fairaudit.reports.amplification import amplified
from fairaudit.reports.estimators import uncorrected
from fairaudit.reports.meaning import claims, deciding, looked, meaning, watched
from fairaudit.reports.model import TONES, Card
from fairaudit.reports.names import IMAGES, outcome_title
from fairaudit.reports.numbers import (
    count,
    discrepancy,
    fd_text,
    known,
    listing,
    percent,
    share_text,
)

from fairaudit.plan import AuditPlan
from fairaudit.results import AttributeResult, Results, Verdict

LABELLED = "labelled"
_UNCALIBRATED = "The classifier is not calibrated, so these shares carry its errors."

_PREDICATE: dict[Verdict, tuple[str, str]] = {
    "fair": ("counts as fair", "count as fair"),
    "unfair": ("is unfair", "are unfair"),
    "not enough evidence": ("is undecided: not enough evidence", "are undecided: not enough evidence"),
}


def subject(sampler: str, results: Results) -> str:
    """How sentences call a sampler; a folder of images has none to speak of."""
    return "the images" if sampler == IMAGES and len(results.samplers) == 1 else sampler


def headline(sampler: str, results: Results) -> str:
    """How headings call a sampler."""
    return subject(sampler, results).replace("the images", "The images")


def leads(results: Results, attributes: tuple[str, ...]) -> tuple[str, ...]:
    """One sentence an attribute: who is fair, who is not, who is undecided."""
    return tuple(_lead(results, attribute) for attribute in attributes)


def _lead(results: Results, attribute: str) -> str:
    groups: dict[Verdict, list[str]] = {}
    for name, sampler in results.samplers.items():
        if attribute in sampler.attributes:
            groups.setdefault(sampler.attributes[attribute].verdict, []).append(subject(name, results))
    parts = []
    for verdict in ("unfair", "fair", "not enough evidence"):
        names = groups.get(verdict, [])
        if names:
            plural = len(names) > 1 or names == ["the images"]
            parts.append(f"{listing(names)} {_PREDICATE[verdict][plural]}")
    return f"Perceived {attribute}: {'; '.join(parts)}."


def cards(plan: AuditPlan, results: Results, attributes: tuple[str, ...]) -> tuple[Card, ...]:
    """The verdict on every sampler in every attribute."""
    return tuple(
        Card(
            attribute,
            headline(name, results),
            found.verdict,
            TONES[found.verdict],
            _gist(found),
            _sentences(plan, found, sequential=watched(results, attribute)),
        )
        for attribute in attributes
        for name, sampler in results.samplers.items()
        if (found := sampler.attributes.get(attribute)) is not None
    )


def _sentences(plan: AuditPlan, result: AttributeResult, *, sequential: bool) -> tuple[str, ...]:
    parts = [
        _shares(result),
        _fd(plan, result),
        looked(plan, result) if sequential else meaning(plan, result),
        claims(result),
        _planted(result),
        amplified(result.bias_amplification) if result.bias_amplification else "",
        _unlabelled(result),
        uncorrected(result.estimator) if result.calibration else _UNCALIBRATED,
    ]
    return tuple(part for part in parts if part)


def _shares(result: AttributeResult) -> str:
    shown = shown_values(result)
    if not shown:
        reasons = {share.reason for share in result.shares.values() if share.reason}
        return f"Shares are n/a: {listing(sorted(reasons)) or 'no labelled images'}."
    parts = [
        f"{share_text(result.shares[value])} {value} (target {percent(result.target.get(value))})"
        for value in shown
    ]
    if len(shown) == len(result.shares):
        return f"{listing(parts)}."
    return f"Furthest from the target: {listing(parts)}."


def shown_values(result: AttributeResult) -> list[str]:
    """The values that a sentence has room for: up to three, else the most over and under target."""
    measured = [value for value, share in result.shares.items() if known(share.value)]
    if len(measured) <= 3:
        return measured
    excess = {value: (result.shares[value].value or 0) - result.target.get(value, 0) for value in measured}
    return [max(measured, key=excess.__getitem__), min(measured, key=excess.__getitem__)]


def _fd(plan: AuditPlan, result: AttributeResult) -> str:
    fd = deciding(result)
    if not known(fd.value):
        return f"FD is n/a: {fd.reason or 'no reason was recorded'}."
    within = " within prompts" if result.fd_prompts else ""
    text = f"Fairness discrepancy (FD){within} {fd_text(fd)}"
    if known(fd.null95):
        text += (
            f"; a fair generator would stay below {discrepancy(fd.null95)} "
            f"with {cover(plan)} chance at n\u00a0=\u00a0{result.n:,}"
        )
    return f"{text}. Pooled over the prompts it is {fd_text(result.fd)}." if within else f"{text}."


def cover(plan: AuditPlan) -> str:
    """The confidence of the intervals, and the chance of the null band."""
    return f"{100 * (1 - plan.measurement.level):g}\u00a0%"


def _gist(result: AttributeResult) -> str:
    fd = deciding(result)
    within = " within prompts" if result.fd_prompts else ""
    by_chance = f"; by chance up to {discrepancy(fd.null95)}" if known(fd.null95) else ""
    return f"FD{within} {fd_text(fd)}{by_chance}" if known(fd.value) else ""


def _planted(result: AttributeResult) -> str:
    if not result.planted:
        return ""
    parts = [f"{percent(result.planted.get(v))} {v}" for v in shown_values(result) if v in result.planted]
    return f"The training data hold {listing(parts)}." if parts else ""


def _unlabelled(result: AttributeResult) -> str:
    missing = {key: n for key, n in result.outcomes.items() if key != LABELLED and n}
    total = sum(result.outcomes.values())
    if not missing:
        return ""
    kinds = ", ".join(f"{outcome_title(key)} {n:,}" for key, n in missing.items())
    return f"{sum(missing.values()):,} of {count(total, 'image')} had no usable label ({kinds})."
