"""The difference of two estimates, from their intervals alone."""

from __future__ import annotations

import math

from fairaudit.gaps import chance_apart
from fairaudit.results import Estimate

INDEPENDENT = "difference of two independent estimates, from their intervals"
DEPENDENT = "difference of two estimates, from their intervals, whatever their dependence"


def difference_of(a: Estimate, b: Estimate, *, independent: bool) -> Estimate:
    """Estimate a minus estimate b.

    Of independent estimates the half-widths add as squares; of others, such as of images from one
    noise, they add, because the standard deviation of a difference is at most the sum of both.

    Examples
    --------
    >>> a, b = (Estimate(value=v, low=v - 3, high=v + 4, method="") for v in (10.0, 2.0))
    >>> found = difference_of(a, b, independent=True)
    >>> found.value, found.low, found.high
    (8.0, 3.0, 13.0)
    """
    method = INDEPENDENT if independent else DEPENDENT
    if a.value is None or b.value is None:
        reason = (a.reason if a.value is None else b.reason) or "one of the two has no value"
        return Estimate(value=None, method=method, reason=reason)
    value = a.value - b.value
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Estimate(value=value, method=method, reason="one of the two has no interval")
    below, above = (a.value - a.low, b.high - b.value), (a.high - a.value, b.value - b.low)
    low, high = (math.hypot(*ends) if independent else sum(ends) for ends in (below, above))
    return Estimate(value=value, low=value - low, high=value + high, method=method)


def contrast(
    a: Estimate, b: Estimate, level: float, *, independent: bool
) -> tuple[Estimate, float | None, str]:
    """`difference_of` with the two-sided p-value of there being none, and the test's name.

    Parameters
    ----------
    a, b
        With intervals that cover 1 - level.
    """
    found = difference_of(a, b, independent=independent)
    if found.value is None or found.low is None or found.high is None or math.isinf(found.high - found.low):
        return found, None, "none"
    distance = abs(found.value)
    reach = found.high if found.value < 0 else -found.low
    ends = {"value": distance, "low": -reach, "high": distance}
    nothing = Estimate(value=0.0, low=0.0, high=0.0, method=found.method)
    p = min(1.0, 2 * chance_apart(nothing, found.model_copy(update=ends), level))
    return found, p, "z-test from intervals" if independent else "z-test from intervals, conservative"
