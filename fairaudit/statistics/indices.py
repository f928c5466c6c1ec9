"""Measures of imbalance other than FD, each with an interval and the band of a fair generator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from fairaudit.metrics import fairness
from fairaudit.results import Index
from fairaudit.statistics.correction import Array, check_confusion
from fairaudit.statistics.inversion import Measure, Ray, nearest_shares, shoot, simulate
from fairaudit.statistics.shares import ShareEstimate, check_belonging

METHOD = "plug-in; interval by inversion of simulated tests, which covers 89 to 100 %"
UNBOUNDED = METHOD + ", without an upper end"
INFINITE = "infinite: a declared value is absent, or one of target 0 occurs"

_PART = 4
"""Of the replicates, one in so many is drawn for each of the truths that are tried."""


@dataclass(frozen=True)
class Kind:
    """A measure, and whether it grows with imbalance (distances) or falls (evenness)."""

    measure: Measure
    evenness: bool = False


def estimate_indices(
    shares: ShareEstimate,
    n: int,
    target: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> dict[str, Index]:
    """Every index of imbalance, with an interval that reaches the fair value when that is possible.

    The value is that of the estimated shares; near a fair generator it is too unfair on average, and a
    bootstrap of it twice. So the interval is a test inversion (hybrid resampling, Chuang & Lai
    2000, Statistica Sinica 10:1): along the ray from the target (for evenness: from uniform
    shares) through the estimate, it keeps the truths of which an audit of n labels with this
    calibration would find a value like this one. It is stretched to the percentiles of the draws less
    their bias, which see truths off the ray, and to the value.

    Simulated for K 2, 4, 7, n 30 to 2000, without and with a calibration on 300 a value (accuracy .85),
    shares from fair to .9 of one value, 100 audits each: nominal 95 % intervals cover 91 to 100 %, that
    of the deviation ratio 89 % at worst (K = 7, n = 30), that of the max-min ratio nearly always at
    small n; the fair end is reached in 93 to 100 % of audits of a fair generator.

    Parameters
    ----------
    shares
        From `estimate_shares`; one without a value gives indices without one, for its reason. Of an
        estimate from probabilities the interval is that of labels, which is on the safe side.
    n
        Number of labelled images.
    target
        (K,) fair shares.
    confusion
        (K, K) calibration counts that the shares were corrected with, or None.
    level
        The interval covers 1 - level; `null95` leaves level to a fair generator.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Returns
    -------
    Records by name. A value that is infinite is None, with the reason and the low end of its interval.
    """
    goal = check_belonging(shares, target)
    kinds = _kinds(goal)
    if shares.value is None or shares.centre is None or shares.draws is None:
        return {name: _without_value(kind, shares) for name, kind in kinds.items()}
    matrix = None if confusion is None else check_confusion(confusion, len(goal))
    errors, each = shares.draws - shares.centre, max(replicates // _PART, 1)
    uniform = np.full(len(goal), 1 / len(goal))
    ray = shoot(shares.value, goal, errors, n, matrix, replicates=each, seed=seed)
    other = ray
    if not np.allclose(goal, uniform):
        other = shoot(shares.value, uniform, errors, n, matrix, replicates=each, seed=seed)
    null = simulate(goal, n, matrix, replicates, seed)
    return {
        name: index_of(kind, shares, other if kind.evenness else ray, null, level=level)
        for name, kind in kinds.items()
    }


def index_of(kind: Kind, shares: ShareEstimate, ray: Ray, null: Array, *, level: float) -> Index:
    """Record of one measure of estimated shares, from a ray and from estimates (m, K) of a fair generator."""
    if shares.value is None or shares.draws is None:
        return _without_value(kind, shares)
    sign = -1 if kind.evenness else 1
    value = sign * float(kind.measure(shares.value))
    low, high = ray.interval(lambda p: sign * kind.measure(p), value, level)
    shifted = _shifted(sign * kind.measure(nearest_shares(shares.draws)), value, level)
    least = sign * float(kind.measure(ray.origin))
    ends = sign * min(low, value, max(least, shifted[0])), sign * max(high, value, shifted[1])
    # Between infinite values no quantile may be interpolated.
    band = np.quantile(sign * kind.measure(null), 1 - level, method="higher")
    return Index(
        value=_finite(sign * value),
        low=_finite(min(ends)),
        high=_finite(max(ends)),
        method=METHOD if np.isfinite(max(ends)) else UNBOUNDED,
        reason=None if np.isfinite(value) else INFINITE,
        raw=_raw(kind, shares),
        null95=_finite(sign * float(band)),
    )


def _shifted(drawn: Array, value: float, level: float) -> tuple[float, float]:
    """Percentiles of the draws less their bias: the estimate's own, and the bootstrap's once more."""
    low, middle, high = np.quantile(drawn, [level / 2, 0.5, 1 - level / 2], method="higher").tolist()
    bias = max(0.0, middle - value) if np.isfinite(middle) else 0.0
    return low - 2 * bias, high - 2 * bias


def _kinds(goal: Array) -> dict[str, Kind]:
    return {
        "total_variation": Kind(partial(fairness.total_variation, target=goal)),
        "kl_divergence": Kind(partial(fairness.kl_divergence, target=goal)),
        "chi_square_distance": Kind(partial(fairness.chi_square_distance, target=goal)),
        "max_min_ratio": Kind(partial(fairness.max_min_ratio, target=goal)),
        "normalised_entropy": Kind(fairness.normalised_entropy, evenness=True),
        "mean_absolute_deviation": Kind(partial(fairness.mean_absolute_deviation, target=goal)),
        "deviation_ratio": Kind(partial(fairness.deviation_ratio, target=goal)),
        "effective_number": Kind(fairness.effective_number, evenness=True),
    }


def _without_value(kind: Kind, shares: ShareEstimate) -> Index:
    return Index(value=None, method=METHOD, reason=shares.reason, raw=_raw(kind, shares), null95=None)


def _raw(kind: Kind, shares: ShareEstimate) -> float | None:
    return None if shares.raw is None else _finite(float(kind.measure(shares.raw)))


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
