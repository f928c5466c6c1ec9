"""How far two samplers lie apart in a number, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from scipy import stats

from fairaudit.results import Comparison, Estimate, Results, SamplerResult

Kind = Literal["quality", "utility", "cost"]

EXACT = "nfe_per_image"
"""A cost that is counted, not estimated."""


def comparison_of(results: Results, metric: str, a: str, b: str) -> Comparison | None:
    """The stored comparison of a with b, a minus b, whichever way round it was made."""
    for found in results.comparisons:
        if found.metric == metric and {found.a, found.b} == {a, b}:
            if found.a == a:
                return found
            return found.model_copy(update={"a": a, "b": b, "difference": turned(found.difference)})
    return None


def turned(difference: Estimate) -> Estimate:
    """The difference the other way round."""
    ends = {"value": difference.value, "low": difference.high, "high": difference.low}
    return difference.model_copy(update={key: None if end is None else -end for key, end in ends.items()})


def numbers_of(sampler: SamplerResult, kind: Kind) -> Mapping[str, Estimate]:
    """A sampler's numbers of a kind; costs have no interval, because they are not estimated."""
    if kind == "quality":
        return sampler.quality
    if kind == "utility":
        return sampler.utility
    costs = {name: getattr(sampler.cost, name) for name in (EXACT, "seconds_per_image")}
    return {
        name: Estimate(value=cost, method="measured", reason=sampler.cost.reason)
        for name, cost in costs.items()
    }


def chance_lower(difference: Estimate, p_value: float | None, level: float) -> float:
    """One-sided p-value of the claim that a difference is below 0; 1 where its interval reaches 0.

    Parameters
    ----------
    difference
        With an interval that covers 1 - level.
    p_value
        Two-sided; None reads it off the interval, taken as that of a normal estimate.
    """
    value, low, high = difference.value, difference.low, difference.high
    if value is None or low is None or high is None or high >= 0:
        return 1.0
    if p_value is not None:
        return p_value / 2
    return _tail(-value, high - value, level)


def chance_apart(lower: Estimate, upper: Estimate, level: float) -> float:
    """One-sided p-value of the claim that one number is below another, from their intervals alone.

    The standard deviation of a difference is at most the sum of the two, whatever the dependence; so
    the p-value is at most level / 2 exactly where the intervals do not meet.

    Parameters
    ----------
    lower, upper
        Estimates with intervals that cover 1 - level.
    """
    if lower.value is None or upper.value is None or lower.high is None or upper.low is None:
        return 1.0
    return _tail(upper.value - lower.value, lower.high - lower.value + upper.value - upper.low, level)


def _tail(distance: float, half_width: float, level: float) -> float:
    """Of a normal estimate so far beyond 0; intervals without width know nothing of their error."""
    if half_width <= 0 or distance <= 0:
        return 1.0
    return float(stats.norm.sf(stats.norm.isf(level / 2) * distance / half_width))
