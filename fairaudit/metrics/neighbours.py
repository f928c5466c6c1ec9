"""Precision, recall, density and coverage: features -> nearest neighbours -> fractions -> intervals.

Precision and recall are those of Kynkaanniemi et al. (NeurIPS 2019), density and coverage those of Naeem et
al. (ICML 2020). A ball lies about every image, as large as the distance to its k-th neighbour of its own
kind; an image is covered where it lies within one of the other kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from fairaudit.metrics.kernels import jackknife_variance
from fairaudit.metrics.quality import vectors_of
from fairaudit.results import Estimate

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

NAMES = ("precision", "recall", "density", "coverage")
NEIGHBOURS = 5
FEWEST = 4 * NEIGHBOURS
"""Images or real ones below which no number is given: a ball would reach over a quarter of them."""
FEW = 10
"""Images within balls below which how many balls such images lie in is as good as unknown."""
_BLOCK = 1024
"""Rows of distances that are in memory at once."""


class Manifold:
    """Features (n, d) with the radius of the ball about each; distances are never all in memory."""

    def __init__(self, features: ArrayLike) -> None:
        self.vectors = vectors_of(features)

    @cached_property
    def radii(self) -> Array:
        """(n,), squared: to the k-th nearest other one."""
        found = []
        for rows in _slices(len(self.vectors)):
            squares = _squares(self.vectors[rows], self.vectors)
            squares[np.arange(len(squares)), np.arange(len(self.vectors))[rows]] = 0
            found.append(np.partition(squares, NEIGHBOURS, axis=1)[:, NEIGHBOURS])
        return np.concatenate(found)

    @cached_property
    def most(self) -> int:
        """In how many balls one of the points lies at most, its own among them."""
        return int(balls_of(self, self.vectors).holders.max())


@dataclass(frozen=True)
class Balls:
    """How points lie in balls.

    Attributes
    ----------
    holders
        (points,), in how many balls each point lies.
    held
        (balls,), how many points each ball holds.
    alone
        (balls,), how many of these lie in no other ball.
    sole
        (points,), how many balls hold this point and no other one.
    """

    holders: Counts
    held: Counts
    alone: Counts
    sole: Counts


def neighbourhoods(features: ArrayLike, real: Manifold, level: float = 0.05) -> Mapping[str, Estimate]:
    """Precision, recall, density and coverage of images beside real ones, with intervals.

    All four are those of this many images and real ones. Their variance is that among the points that
    are counted, plus what leaving out one ball after the other changes; radii are not drawn anew
    then, which errs on the side of wider intervals.

    Parameters
    ----------
    features
        (n, d) of the generated images.
    level
        The intervals cover 1 - level.
    """
    made = Manifold(features)
    n, m = len(made.vectors), len(real.vectors)
    about = f"{NEIGHBOURS} neighbours, {n} images and {m} real ones, interval from its influences"
    if min(n, m) < FEWEST:
        reason = f"fewer than {FEWEST} images or real ones"
        return {name: Estimate(value=None, method=about, reason=reason) for name in NAMES}
    of_real = balls_of(real, made.vectors)
    of_made = balls_of(made, real.vectors)
    precision = _fraction(of_real.holders > 0, of_real.alone / n, about, level)
    return {
        "precision": precision,
        "recall": _fraction(of_made.holders > 0, of_made.alone / m, about, level),
        "density": _density(of_real, real, precision, about, level),
        "coverage": _fraction(of_real.held > 0, of_real.sole / m, about, level),
    }


def balls_of(manifold: Manifold, points: Array) -> Balls:
    """How points (n, d) lie in the balls of others."""
    holders = np.zeros(len(points), dtype=np.int64)
    last = np.zeros(len(points), dtype=np.int64)
    held, sole = np.zeros(len(manifold.vectors), dtype=np.int64), np.zeros(len(points), dtype=np.int64)
    for rows in _slices(len(manifold.vectors)):
        within = _squares(manifold.vectors[rows], points) < manifold.radii[rows, None]
        held[rows] = within.sum(1)
        np.add.at(sole, within[held[rows] == 1].argmax(1), 1)
        some = within.any(0)
        last[some] = within[:, some].argmax(0) + rows.start
        holders += within.sum(0)
    alone = np.bincount(last[holders == 1], minlength=len(manifold.vectors))
    return Balls(holders, held, alone.astype(np.int64), sole)


def _fraction(counted: NDArray[np.bool_], lost: Array, about: str, level: float) -> Estimate:
    """A fraction with Wilson's interval, for as many points as its variance is worth.

    Parameters
    ----------
    counted
        Points (p,), whether each counts.
    lost
        By how much the fraction falls without each of what they depend on.
    """
    value, points = float(counted.mean()), len(counted)
    variance = value * (1 - value) / points + jackknife_variance(lost)
    worth = float(min(points, len(lost)))
    if 0 < value < 1:
        worth = min(worth, value * (1 - value) / variance)
    z = stats.norm.ppf(1 - level / 2)
    middle = (value + z**2 / (2 * worth)) / (1 + z**2 / worth)
    half = z / (1 + z**2 / worth) * np.sqrt(value * (1 - value) / worth + z**2 / (4 * worth**2))
    low, high = min(value, middle - half), max(value, middle + half)
    return Estimate(value=value, low=max(float(low), 0.0), high=min(float(high), 1.0), method=about)


def _density(balls: Balls, real: Manifold, precision: Estimate, about: str, level: float) -> Estimate:
    """Balls that a point lies in, over the k that it would lie in if both kinds were alike.

    The spread of points of which none lies in a ball is 0, and that of few in balls is too small. Density is
    the fraction of points within any ball, which is precision, times the balls that such a point lies in:
    where there are few such points, the interval reaches to where density would be if precision were at
    its upper end and the points missed so far lay in as many balls as any real one does. Simulated with
    n and m of 60 to 250, d 4 and 32, points that move away and points of which a few are real: 93 to
    100 % of nominal 95 % intervals hold where up to 8 points are expected in balls; but as few as 65 %
    where, in 32 dimensions, these gather at the centre, where more balls meet than about any real one.
    """
    n, within = len(balls.holders), int((balls.holders > 0).sum())
    value = balls.holders.mean() / NEIGHBOURS
    variance = balls.holders.var(ddof=1) / n / NEIGHBOURS**2
    # With a real image the balls of its neighbours change, too: simulated, that doubles its part.
    variance += 2 * jackknife_variance(balls.held / (NEIGHBOURS * n))
    half = stats.t.ppf(1 - level / 2, n - 1) * np.sqrt(variance)
    low, high = max(float(value - half), 0.0), float(value + half)
    if within < FEW and precision.high is not None:
        high = max(high, float(value + (precision.high - within / n) * real.most / NEIGHBOURS))
    return Estimate(value=float(value), low=low, high=high, method=about)


def _squares(a: Array, b: Array) -> Array:
    """Squared distances (n, m)."""
    return np.asarray(np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * (a @ b.T), 0))


def _slices(n: int) -> list[slice]:
    return [slice(begin, min(begin + _BLOCK, n)) for begin in range(0, n, _BLOCK)]
