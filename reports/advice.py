"""Which sampler to take and what it costs, said only as far as the paired comparisons carry it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fairaudit.reports.meaning import deciding
from fairaudit.reports.names import metric_title
from fairaudit.reports.numbers import estimate_text, known, listing

from fairaudit.plan import AuditPlan
from fairaudit.results import Estimate, Results, SamplerResult


@dataclass(frozen=True)
class Gap:
    """How far `a` lies from `b` in a metric, and whether the data decide its sign."""

    difference: Estimate | None
    decided: bool

    @property
    def lower(self) -> bool:
        """Whether `a` is shown to be the lower of the two."""
        return self.decided and self.difference is not None and (self.difference.value or 0) < 0


def gap(plan: AuditPlan, results: Results, metric: str, a: str, b: str) -> Gap:
    """The comparison of a with b, whichever way round it was made."""
    for comparison in results.comparisons:
        if comparison.metric != metric or {comparison.a, comparison.b} != {a, b}:
            continue
        difference = comparison.difference if comparison.a == a else _flipped(comparison.difference)
        p = comparison.p_adjusted if comparison.p_adjusted is not None else comparison.p_value
        signed = _excludes_zero(difference) and (p is None or p < plan.measurement.level)
        return Gap(difference, signed)
    return Gap(None, False)


def _fd_gap(plan: AuditPlan, results: Results, attribute: str, a: str, b: str) -> Gap:
    """The gap in the discrepancy that the verdicts are about, which is the one that was compared."""
    within = gap(plan, results, f"{attribute}.fd_prompts", a, b)
    return within if within.difference else gap(plan, results, f"{attribute}.fd", a, b)


def _flipped(estimate: Estimate) -> Estimate:
    def minus(number: float | None) -> float | None:
        return None if number is None else -number

    ends = {"value": minus(estimate.value), "low": minus(estimate.high), "high": minus(estimate.low)}
    return estimate.model_copy(update=ends)


def _excludes_zero(estimate: Estimate) -> bool:
    if not (known(estimate.value) and known(estimate.low) and known(estimate.high)):
        return False
    return (estimate.low or 0) > 0 or (estimate.high or 0) < 0


def advice(plan: AuditPlan, results: Results, attributes: tuple[str, ...]) -> tuple[str, ...]:
    """What the data say about the choice, then what each candidate costs; nothing for one sampler."""
    sentences: list[str] = []
    candidates: list[str] = []
    for attribute in attributes:
        said, kept = _choice(plan, results, attribute)
        sentences += said
        candidates += [name for name in kept if name not in candidates]
    names = [plan.reference_sampler, "baseline", *results.samplers]
    reference = next((name for name in names if name in results.samplers), "")
    costs = [_cost(plan, results, name, reference) for name in candidates if name != reference]
    return (*sentences, *(cost for cost in costs if cost))


def _choice(plan: AuditPlan, results: Results, attribute: str) -> tuple[list[str], list[str]]:
    """The sentences on one attribute, and the samplers that stay in the running."""
    measured = {
        name: fd.value
        for name, sampler in results.samplers.items()
        if attribute in sampler.attributes
        and (fd := deciding(sampler.attributes[attribute])).value is not None
        and known(fd.value)
    }
    if len(measured) < 2:
        return [], []
    best = min(measured, key=measured.__getitem__)
    gaps = {name: _fd_gap(plan, results, attribute, best, name) for name in measured if name != best}
    beaten = [name for name, found in gaps.items() if found.lower]
    undecided = [name for name, found in gaps.items() if not found.lower]
    parts = []
    if undecided:
        parts.append(
            f"the data do not decide between {listing([best, *undecided])}.{_why(best, gaps, undecided)}"
        )
    if beaten:
        by = listing([f"{name} by {_size(gaps[name])}" for name in beaten])
        parts.append(
            f"The data do show that {best} has a lower FD than {by}."
            if undecided
            else f"take {best}. It has a lower FD than {by}."
        )
    verdict = results.samplers[best].attributes[attribute].verdict
    if verdict == "unfair":
        parts.append(f"Even the lowest FD, that of {best}, is unfair.")
    elif verdict == "not enough evidence":
        parts.append(f"That {best} is fair is not shown.")
    return [f"Perceived {attribute}: {' '.join(parts)}"], [best, *undecided]


def _why(best: str, gaps: dict[str, Gap], undecided: list[str]) -> str:
    shown = [
        f"{estimate_text(found.difference, signed=True)} for {best} minus {name}"
        for name in undecided
        if (found := gaps[name]).difference is not None and known(found.difference.value)
    ]
    return f" The difference in FD is {listing(shown)}." if shown else ""


def _size(found: Gap) -> str:
    difference = _flipped(found.difference) if found.difference else None
    return estimate_text(difference) if difference else ""


def _cost(plan: AuditPlan, results: Results, name: str, reference: str) -> str:
    taken, base = results.samplers[name], results.samplers[reference]
    parts = [
        text
        for kind in ("quality", "utility")
        for metric in getattr(taken, kind)
        if (text := _change(plan, results, kind, metric, (name, reference)))
    ]
    cost, other = taken.cost, base.cost
    parts += _pair("network evaluations per image", cost.nfe_per_image, other.nfe_per_image, _evaluations)
    parts += _pair("seconds per image", cost.seconds_per_image, other.seconds_per_image, seconds)
    return f"What {name} costs against {reference}: {'; '.join(parts)}." if parts else ""


def _change(plan: AuditPlan, results: Results, kind: str, metric: str, pair: tuple[str, str]) -> str:
    for key in (metric, f"{kind}.{metric}"):
        found = gap(plan, results, key, *pair)
        if found.difference is not None and known(found.difference.value):
            text = f"{metric_title(metric)} {estimate_text(found.difference, signed=True)}"
            return text if found.decided else f"{text}, no change shown"
    taken, base = (_estimate(results.samplers[name], kind, metric) for name in pair)
    if taken is None or not known(taken.value):
        return ""
    text = f"{metric_title(metric)} {estimate_text(taken)}"
    if base is None or not known(base.value):
        return text
    same = ", intervals overlap" if _overlap(taken, base) else ""
    return f"{text} against {estimate_text(base)}{same}"


def _overlap(a: Estimate, b: Estimate) -> bool:
    ends = (a.low, a.high, b.low, b.high)
    if any(end is None for end in ends):
        return True
    return max(a.low or 0, b.low or 0) <= min(a.high or 0, b.high or 0)


def _estimate(sampler: SamplerResult, kind: str, metric: str) -> Estimate | None:
    found: dict[str, Estimate] = getattr(sampler, kind)
    return found.get(metric)


def _pair(noun: str, a: float | None, b: float | None, form: Callable[[float], str]) -> list[str]:
    if a is None or b is None or not (known(a) and known(b)):
        return []
    return [f"the same {form(a)} {noun}" if form(a) == form(b) else f"{form(a)} {noun} against {form(b)}"]


def _evaluations(value: float) -> str:
    return f"{value:.10g}"


def seconds(value: float) -> str:
    """Seconds with three digits."""
    return f"{value:.3g}"
