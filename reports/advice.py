"""Which sampler to take and what it costs, said only as far as the data carry it."""

from __future__ import annotations

from collections.abc import Callable

from fairaudit.reports.names import metric_title
from fairaudit.reports.numbers import estimate_text, known, p_equals

from fairaudit.choosing import sentences, shown
from fairaudit.fronts import Choice, TradeOff
from fairaudit.gaps import comparison_of, numbers_of
from fairaudit.plan import AuditPlan
from fairaudit.results import Comparison, Estimate, Results


def advice(plan: AuditPlan, results: Results) -> tuple[str, ...]:
    """What the data say about the choice, then what the fairest costs; nothing for one sampler."""
    names = [plan.reference_sampler, "baseline", *results.samplers]
    reference = next((name for name in names if name in results.samplers), "")
    said = [_choice(results, choice) for choice in results.choices]
    taken = {choice.fairest: choice for choice in results.choices if choice.fairest != reference}
    costs = [_cost(plan, results, choice, reference) for choice in taken.values()]
    return (*said, *(cost for cost in costs if cost))


def _choice(results: Results, choice: Choice) -> str:
    parts = [f"Perceived {choice.attribute}:", *sentences(results, choice)]
    verdict = results.samplers[choice.fairest].attributes[choice.attribute].verdict
    if verdict == "unfair":
        parts.append(f"Even the lowest FD, that of {choice.fairest}, is unfair.")
    elif verdict == "not enough evidence":
        parts.append(f"That {choice.fairest} is fair is not shown.")
    return " ".join(parts)


def _cost(plan: AuditPlan, results: Results, choice: Choice, reference: str) -> str:
    name = choice.fairest
    taken, base = results.samplers[name].cost, results.samplers[reference].cost
    parts = [
        text
        for one in shown(results, choice.attribute)
        if one.kind != "cost" and (text := _change(plan, results, one, (name, reference)))
    ]
    parts += _pair("network evaluations per image", taken.nfe_per_image, base.nfe_per_image, _evaluations)
    parts += _pair("seconds per image", taken.seconds_per_image, base.seconds_per_image, seconds)
    return f"What {name} costs against {reference}: {'; '.join(parts)}." if parts else ""


def _change(plan: AuditPlan, results: Results, one: TradeOff, pair: tuple[str, str]) -> str:
    title = metric_title(one.metric)
    for key in (one.metric, f"{one.kind}.{one.metric}"):
        found = comparison_of(results, key, *pair)
        if found is not None and known(found.difference.value):
            change = estimate_text(found.difference, signed=True)
            return f"{title} {change}{_doubt(found, plan.measurement.level)}"
    taken, base = (numbers_of(results.samplers[name], one.kind).get(one.metric) for name in pair)
    if taken is None or not known(taken.value):
        return ""
    text = f"{title} {estimate_text(taken)}"
    if base is None or not known(base.value):
        return text
    same = ", intervals overlap" if _overlap(taken, base) else ""
    return f"{text} against {estimate_text(base)}{same}"


def _doubt(found: Comparison, level: float) -> str:
    """Why a change is not shown, where it is not; an interval alone does not count the other comparisons."""
    if not _excludes_zero(found.difference):
        return ", no change shown"
    if found.p_adjusted is not None and found.p_adjusted >= level:
        return f", not shown beside so many comparisons (Holm-adjusted {p_equals(found.p_adjusted)})"
    if found.p_adjusted is None and found.p_value is not None and found.p_value >= level:
        return f", not shown by its test ({p_equals(found.p_value)})"
    return ""


def _excludes_zero(estimate: Estimate) -> bool:
    if estimate.low is None or estimate.high is None:
        return False
    return estimate.low > 0 or estimate.high < 0


def _overlap(a: Estimate, b: Estimate) -> bool:
    ends = (a.low, a.high, b.low, b.high)
    if any(end is None for end in ends):
        return True
    return max(a.low or 0, b.low or 0) <= min(a.high or 0, b.high or 0)


def _pair(noun: str, a: float | None, b: float | None, form: Callable[[float], str]) -> list[str]:
    if a is None or b is None or not (known(a) and known(b)):
        return []
    return [f"the same {form(a)} {noun}" if form(a) == form(b) else f"{form(a)} {noun} against {form(b)}"]


def _evaluations(value: float) -> str:
    return f"{value:.10g}"


def seconds(value: float) -> str:
    """Seconds with two digits, or whole ones: timing repeats no better."""
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
