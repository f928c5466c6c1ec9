"""From what was measured to a transition point: weights, curves, and their spread over the images.

Pure functions. A cut i splits N steps into i under the first value and N - i under the second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fairaudit.levels import Level

Array = NDArray[np.float64]
Score = Callable[[NDArray[np.int64]], Array]
"""The curve (m,) that some of the images give."""

REPLICATES = 200
_FINEST = 10
"""Points of a curve between two cuts."""


@dataclass(frozen=True)
class Curve:
    """A criterion along tau, and the transition point that it gives.

    Parameters
    ----------
    taus, value, low, high
        (m,), the points and the criterion there, with the interval of each over the images.
    tau, tau_low, tau_high
        The transition point and its interval.
    """

    taus: Array
    value: Array
    low: Array
    high: Array
    tau: float
    tau_low: float
    tau_high: float


def beta_mass(betas: Array, timesteps: Sequence[int]) -> Array:
    """(N,) the sum of beta over the trained timesteps that each step leaves behind."""
    total = np.concatenate([[0.0], np.cumsum(betas)])
    ends = np.array([*(t + 1 for t in timesteps), 0])
    mass: Array = total[ends[:-1]] - total[ends[1:]]
    return mass


def ode_coefficients(levels: Sequence[Level]) -> Array:
    """(N,) what the clean image loses per unit of predicted noise in each step of the reverse ODE.

    With y = x / alpha and s = sigma / alpha the probability flow is dy/ds = eps, whatever the
    schedule, so a DDIM step from s to s' takes (s - s') eps from y, and y is x0 at the end.
    """
    ratio = noise_ratios(levels)
    taken: Array = ratio[:-1] - ratio[1:]
    return taken


def noise_ratios(levels: Sequence[Level]) -> Array:
    """Sigma / alpha of every level; pure noise counts as if a trace of the image were left."""
    return np.array([level.sigma / max(level.alpha, _TRACE) for level in levels])


_TRACE = 1e-8


def contracted_coefficients(levels: Sequence[Level], differences: Array, after: Array) -> Array:
    """(N,) how far a difference of the expected clean image moves the final one, in each step.

    A step from s to s' moves y = x / alpha by (1 - s'/s) times the difference; the rest of the path
    then shrinks what was moved, as it shrinks the spread of y along the direction of the differences.

    Parameters
    ----------
    levels
        N + 1 of them.
    differences, after
        (N, n, d) each: of the expected clean image, and y after every step.
    """
    kept = [end.sigma * begin.alpha / (end.alpha * begin.sigma) for begin, end in pairwise(levels)]
    size = np.linalg.norm(differences, axis=2, keepdims=True)
    ways = differences / np.maximum(size, np.finfo(float).tiny)
    centred = after - after.mean(1, keepdims=True)

    def spread(points: Array) -> Array:
        along: Array = np.sqrt(np.square((points * ways).sum(2)).mean(1))
        return along

    coefficients: Array = (1 - np.array(kept)) * spread(centred[-1:]) / spread(centred)
    return coefficients


def signed_sums(weights: Array, differences: Array) -> Array:
    """(N + 1, n, d) the weighted differences after every cut minus those before it.

    Parameters
    ----------
    weights
        (N,).
    differences
        (N, n, d).
    """
    before = np.concatenate(
        [np.zeros_like(differences[:1]), np.cumsum(weights[:, None, None] * differences, 0)]
    )
    sums: Array = before[-1] - 2 * before
    return sums


def between_cuts(bounds: Array, sums: Array) -> tuple[Array, Array]:
    """Times (m,) and signed sums (m, n, d) on a finer grid, linear between cuts."""
    cuts = np.linspace(0, len(bounds) - 1, (len(bounds) - 1) * _FINEST + 1)
    below = np.minimum(cuts.astype(int), len(bounds) - 2)
    part = cuts - below
    finer = (1 - part)[:, None, None] * sums[below] + part[:, None, None] * sums[below + 1]
    return np.interp(cuts, np.arange(len(bounds)), bounds), finer


def published_norm(sums: Array) -> Score:
    """D(tau): mean over positions of the norm over images (m, n, d) -> (m,).

    Parts of the images are scaled as if they were all of them.
    """
    squares = np.square(sums)
    count = squares.shape[1]

    def score(rows: NDArray[np.int64]) -> Array:
        norms: Array = np.sqrt(squares[:, rows].mean(1) * count).mean(1)
        return norms

    return score


def lowest(taus: Array, values: Array) -> float:
    """The tau of the smallest value."""
    return float(taus[np.argmin(values)])


def crossing(taus: Array, values: Array) -> float:
    """The tau where a falling criterion crosses zero, linear between the points that were tried.

    `taus` fall; values rise with them. Where noise makes it cross more than once, the middle of the
    crossings counts.
    """
    positive = values > 0
    turns = np.flatnonzero(positive[:-1] != positive[1:])
    if not len(turns):
        return float(taus[np.argmin(np.abs(values))])
    parts = values[turns] / (values[turns] - values[turns + 1])
    return float(np.median(taus[turns] + parts * (taus[turns + 1] - taus[turns])))


def settle(
    taus: Array, score: Score, images: int, choose: Callable[[Array, Array], float], *, seed: int = 0
) -> Curve:
    """The transition point of all images, and how far that of others might lie.

    The spread is that over random halves of the images, drawn without replacement: half of n images
    vary around all n as all n vary around the truth (the delete-d jackknife with d = n/2, Shao & Wu
    1989, Annals of Statistics 17:1176). Unlike a bootstrap it never holds an image twice, which a
    distance between two laws would mistake for likeness.
    """
    value = score(np.arange(images))
    curves = np.stack([score(rows) for rows in halves(images, seed)])
    points = [choose(taus, curve) for curve in curves]
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    tau = choose(taus, value)
    tau_low, tau_high = np.quantile(points, [0.025, 0.975])
    return Curve(taus, value, low, high, tau, float(min(tau, tau_low)), float(max(tau, tau_high)))


def halves(count: int, seed: int) -> list[NDArray[np.int64]]:
    """Random halves of so many images."""
    stream = np.random.default_rng(seed)
    return [np.sort(stream.permutation(count)[: max(1, count // 2)]) for _ in range(REPLICATES)]
