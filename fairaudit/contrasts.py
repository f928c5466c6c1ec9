"""The difference of two estimates, from their intervals alone."""

from __future__ import annotations

import math

from fairaudit.gaps import chance_apart
from fairaudit.results import Estimate

INDEPENDENT = "difference of two independent estimates, from their intervals"
DEPENDENT = "difference of two estimates, from their intervals, whatever their dependence"


def contrast(
    a: Estimate, b: Estimate, level: float, *, independent: bool
) -> tuple[Estimate, float | None, str]:
    """Estimate a minus estimate b, the two-sided p-value of there being no difference, and the test's name.

    Of independent estimates the half-widths add as squares; of others, such as of images from one
    noise, they add, because the standard deviation of a difference is at most the sum of both.

    Examples
    --------
    >>> a, b = (Estimate(value=v, low=v - 3, high=v + 4, method="") for v in (10.0, 2.0))
    >>> found, p, _ = contrast(a, b, 0.05, independent=True)
    >>> found.value, found.low, found.high, round(p, 3)
    (8.0, 3.0, 13.0, 0.002)
    """
    method = INDEPENDENT if independent else DEPENDENT
    if a.value is None or b.value is None:
        reason = (a.reason if a.value is None else b.reason) or "one of the two has no value"
        return Estimate(value=None, method=method, reason=reason), None, "none"
    value = a.value - b.value
    ends = (a.low, a.high, b.low, b.high)
    if a.low is None or a.high is None or b.low is None or b.high is None or not all(map(_finite, ends)):
        reason = "one of the two has no interval"
        return Estimate(value=value, method=method, reason=reason), None, "none"
    add = math.hypot if independent else (lambda x, y: x + y)
    below, above = add(a.value - a.low, b.high - b.value), add(a.high - a.value, b.value - b.low)
    found = Estimate(value=value, low=value - below, high=value + above, method=method)
    facing = found if value > 0 else found.model_copy(update={"low": -value - above, "value": -value})
    nothing = Estimate(value=0.0, low=0.0, high=0.0, method=method)
    p = min(1.0, 2 * chance_apart(nothing, facing, level))
    return found, p, "z-test from intervals" if independent else "z-test from intervals, conservative"


def _finite(end: float | None) -> bool:
    return end is not None and math.isfinite(end)
