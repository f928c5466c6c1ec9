"""Intervals by test inversion for measures that are biased where they matter: near a fair generator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fairaudit.statistics.correction import Array, correct_shares
from fairaudit.statistics.shares import draw_shares

Measure = Callable[[Array], Array]
"""Shares (..., K) to numbers (...)."""

_POINTS = 41
_REACH = 8
"""Standard errors from the estimate to either end of the truths that are tried."""


@dataclass(frozen=True)
class Ray:
    """Truths on a ray from the origin through the estimate, and what would be estimated of each.

    Attributes
    ----------
    origin, direction
        (K,) where a measure is least, and a unit vector; past the border of the simplex the ray goes
        on inside it, to a corner (see `at`).
    distances
        (G,) distances from the origin, ascending.
    estimates
        (G, m, K) simulated estimates of each truth's shares.
    """

    origin: Array
    direction: Array
    distances: Array
    estimates: Array

    def at(self, distance: float | Array) -> Array:
        """Truths (..., K) at distances (...)."""
        return nearest_shares(self.origin + np.asarray(distance)[..., None] * self.direction)

    def interval(self, measure: Measure, observed: float, level: float) -> tuple[float, float]:
        """Values of the truths that do not make the observed value a surprise on either side.

        A truth stays if estimates at least as large, and estimates at most as large, each have more
        than a chance of level / 2, counting half of those that are equal (mid-p). The measure
        must not fall along the ray. Either end may be infinite, if the measure can be.
        """
        found = measure(self.estimates)
        equal = np.isclose(found, observed, rtol=1e-9, atol=1e-12)
        ties = equal.mean(axis=1) / 2
        above = ties + ((found > observed) & ~equal).mean(axis=1)
        below = ties + ((found < observed) & ~equal).mean(axis=1)
        first = _crossing(np.maximum.accumulate(above), self.distances, level / 2)
        last = -_crossing(np.maximum.accumulate(below[::-1]), -self.distances[::-1], level / 2)
        low, high = measure(self.at(np.array([first, last])))
        return float(low), float(high)


def shoot(
    estimate: Array,
    origin: Array,
    errors: Array,
    n: int,
    confusion: Array | None,
    *,
    replicates: int,
    seed: int,
) -> Ray:
    """The ray through an estimate (K,) whose draws deviate from it by errors (m, K)."""
    offset = estimate - origin
    distance = float(np.linalg.norm(offset))
    if distance < 1e-12:
        offset = np.eye(len(origin))[0] - 1 / len(origin)
    direction = offset / max(float(np.linalg.norm(offset)), 1e-300)
    spread = float(np.sqrt(np.linalg.eigvalsh(errors.T @ errors / len(errors)).max(initial=0)))
    start = max(0.0, distance - _REACH * spread)
    distances = np.linspace(start, distance + _REACH * spread, _POINTS)
    ray = Ray(origin, direction, distances, np.zeros(0))
    estimates = simulate(ray.at(distances), n, confusion, replicates, seed)
    return Ray(origin, direction, distances, estimates)


def simulate(truths: Array, n: int, confusion: Array | None, m: int, seed: int) -> Array:
    """Estimated shares (..., m, K) of n images of generators with shares (..., K).

    Every replicate has a classifier that the calibration allows (a Dirichlet draw), and is corrected
    with the calibration as it is. `SingularConfusionError` if that cannot be done.
    """
    rng = np.random.default_rng(seed)
    if confusion is None:
        drawn = rng.multinomial(n, truths[..., None, :], size=(*truths.shape[:-1], m))
        return np.asarray(drawn / n)
    reported = np.einsum("...i,mij->...mj", truths, draw_shares(confusion, m, rng))
    return correct_shares(rng.multinomial(n, reported) / n, confusion)


def nearest_shares(points: Array) -> Array:
    """Nearest point of the simplex, in L2, to points (..., K) that sum to 1 (Held et al. 1974)."""
    ordered = -np.sort(-points, axis=-1)
    excess = (np.cumsum(ordered, axis=-1) - 1) / np.arange(1, points.shape[-1] + 1)
    kept = (ordered > excess).sum(axis=-1, keepdims=True)
    shares = np.maximum(points - np.take_along_axis(excess, np.maximum(kept - 1, 0), axis=-1), 0)
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def _crossing(chances: Array, distances: Array, threshold: float) -> float:
    """Where ascending chances exceed a threshold; the nearest end if they always or never do."""
    index = int(np.searchsorted(chances, threshold, side="right"))
    if index in {0, len(chances)}:
        return float(distances[min(index, len(chances) - 1)])
    before, after = chances[index - 1], chances[index]
    part = (threshold - before) / (after - before)
    return float(distances[index - 1] + part * (distances[index] - distances[index - 1]))
