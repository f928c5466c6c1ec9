"""How far a measure differs between the values of an attribute: estimates -> a gap with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from math import comb, hypot

from scipy import stats

from fairaudit.results import Estimate

METHOD = "difference of independent estimates, interval by MOVER (Zou & Donner 2008)"


def gap_of(values: Mapping[str, Estimate], level: float = 0.05) -> tuple[Estimate, tuple[str, str] | None]:
    """The first value's estimate minus the second's; of more than two, the largest minus the smallest.

    The interval recovers variances from those of the estimates (Zou & Donner 2008, Statistics in Medicine
    27:1693), which rest on different images and real ones. Which two of several values are furthest
    apart is seen only afterwards, so that the interval is widened as for all their pairs (Bonferroni).

    Parameters
    ----------
    values
        By value, in their order; intervals cover 1 - level.

    Returns
    -------
    The gap, and the two values: what the second has is taken from what the first has.

    Examples
    --------
    >>> women = Estimate(value=5, low=4, high=6, method="")
    >>> men = Estimate(value=2, low=1.25, high=2.75, method="")
    >>> gap, between = gap_of({"female": women, "male": men})
    >>> (gap.value, gap.low, gap.high), between
    ((3.0, 1.75, 4.25), ('female', 'male'))
    """
    if missing := next((one for one in values.values() if one.value is None), None):
        return Estimate(value=None, method=METHOD, reason=missing.reason), None
    names = list(values)
    if len(names) > 2:
        ordered = sorted(names, key=lambda name: values[name].value or 0.0)
        names = [ordered[-1], ordered[0]]
    (a, low_a, high_a), (b, low_b, high_b) = (_ends(values[name]) for name in names)
    wider = float(stats.norm.ppf(1 - level / 2 / comb(len(values), 2)) / stats.norm.ppf(1 - level / 2))
    below, above = hypot(a - low_a, high_b - b), hypot(high_a - a, b - low_b)
    gap = Estimate(value=a - b, low=a - b - wider * below, high=a - b + wider * above, method=METHOD)
    return gap, (names[0], names[1])


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    value, low, high = (
        float(end) for end in (estimate.value, estimate.low, estimate.high) if end is not None
    )
    return value, low, high
