"""Do several raters say the same? Percent, kappa and alpha, with bootstrap intervals.

Everything is computed from how often each pattern of ratings occurs, so that a hundred thousand images
cost as much as a hundred, and no number depends on the order of the images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairaudit.results import Estimate
from fairaudit.statistics.correction import Array

MISSING = -1
"""The rating of a rater who said nothing."""
FEWEST = 10
"""Images below which resampling them says nothing of their spread."""

BOOTSTRAP = "bootstrap of images"
COHEN, FLEISS, ALPHA = "Cohen's kappa", "Fleiss' kappa", "Krippendorff's alpha, nominal"
PERCENT = "pairs of labels of an image that are equal, mean over images"


@dataclass(frozen=True)
class Ratings:
    """Patterns of ratings, and how often each occurs.

    Attributes
    ----------
    patterns
        (U, R) codes of what R raters say; -1 is nothing.
    times
        (U,) images of each pattern.
    values
        Number of values, K.
    """

    patterns: NDArray[np.int64]
    times: NDArray[np.int64]
    values: int

    @classmethod
    def of(cls, ratings: ArrayLike, values: int) -> Ratings:
        """From ratings (n, R) of n images; images with fewer than two ratings say nothing and are left out.

        Raises
        ------
        ValueError
            If there are fewer than two raters, or codes that are no value's.
        """
        given = np.asarray(ratings, dtype=np.int64)
        if given.ndim != 2 or given.shape[1] < 2:
            raise ValueError("agreement takes the ratings (n, R) of at least two raters")
        if given.size and (given.min() < MISSING or given.max() >= values):
            raise ValueError(f"ratings are codes from 0 to {values - 1}, or -1 for none")
        several = given[(given != MISSING).sum(axis=1) >= 2]
        patterns, times = np.unique(several, axis=0, return_counts=True)
        return cls(patterns.reshape(-1, given.shape[1]), times, values)

    @property
    def counts(self) -> Array:
        """(U, K) raters who gave each value."""
        return np.asarray((self.patterns[:, :, None] == np.arange(self.values)).sum(axis=1), dtype=np.float64)

    @property
    def complete(self) -> Ratings:
        """The images that every rater rated."""
        all_there = (self.patterns != MISSING).all(axis=1)
        return Ratings(self.patterns[all_there], self.times[all_there], self.values)


Statistic = Callable[[Ratings, Array], Array]
"""Of ratings and weights (m, U) of their patterns; NaN where it is not defined."""


def percent_agreement(ratings: Ratings, weights: Array) -> Array:
    """Chance that two raters of an image say the same, mean over images."""
    counts = ratings.counts
    raters = counts.sum(axis=1)
    same = (counts * (counts - 1)).sum(axis=1) / (raters * (raters - 1))
    return np.asarray(weights @ same / weights.sum(axis=1))


def cohen_kappa(ratings: Ratings, weights: Array) -> Array:
    """Agreement of two raters beyond chance, each with shares of their own (Cohen 1960)."""
    first, second = (one[:, None] == np.arange(ratings.values) for one in ratings.patterns.T)
    total = weights.sum(axis=1)
    same = weights @ (ratings.patterns[:, 0] == ratings.patterns[:, 1]) / total
    chance = ((weights @ first) * (weights @ second)).sum(axis=1) / total**2
    return _beyond(same, chance)


def fleiss_kappa(ratings: Ratings, weights: Array) -> Array:
    """Agreement of several raters beyond chance, who share their shares (Fleiss 1971)."""
    counts = ratings.counts
    shares = weights @ counts
    shares /= shares.sum(axis=1, keepdims=True)
    return _beyond(percent_agreement(ratings, weights), (shares**2).sum(axis=1))


def krippendorff_alpha(ratings: Ratings, weights: Array) -> Array:
    """One minus observed over expected disagreement; ratings may be missing (Krippendorff 2004)."""
    counts = ratings.counts
    raters = counts.sum(axis=1)
    unequal = (counts * (raters[:, None] - counts)).sum(axis=1) / (raters - 1)
    totals = weights @ counts
    whole = totals.sum(axis=1)
    expected = (totals * (whole[:, None] - totals)).sum(axis=1) / (whole - 1)
    return _beyond(1 - weights @ unequal / whole, 1 - expected / whole)


def _beyond(same: Array, chance: Array) -> Array:
    """(same - chance) / (1 - chance); NaN where chance leaves nothing to say."""
    room = 1 - chance
    return np.where(room > 1e-12, (same - chance) / np.where(room > 1e-12, room, 1), np.nan)


def percent(ratings: Ratings, **spread: float) -> Estimate:
    """Percent agreement with its interval."""
    return _estimate(percent_agreement, ratings, PERCENT, **spread)


def kappa(ratings: Ratings, **spread: float) -> Estimate:
    """Cohen's kappa of two raters, Fleiss' of more, on the images that all of them rated."""
    two = ratings.patterns.shape[1] == 2
    return _estimate(
        cohen_kappa if two else fleiss_kappa, ratings.complete, COHEN if two else FLEISS, **spread
    )


def alpha(ratings: Ratings, **spread: float) -> Estimate:
    """Krippendorff's alpha, for which no image needs all raters."""
    return _estimate(krippendorff_alpha, ratings, ALPHA, **spread)


def _estimate(
    statistic: Statistic,
    ratings: Ratings,
    name: str,
    *,
    level: float = 0.05,
    replicates: float = 2000,
    seed: float = 0,
) -> Estimate:
    """A statistic with its percentile interval over resampled images."""
    method, images = f"{name}; {BOOTSTRAP}", int(ratings.times.sum())
    if images < FEWEST:
        return Estimate(value=None, method=method, reason=f"fewer than {FEWEST} images with several labels")
    value = float(statistic(ratings, ratings.times[None].astype(np.float64))[0])
    if not np.isfinite(value):
        return Estimate(value=None, method=method, reason="all labels are the same value")
    rng = np.random.default_rng(int(seed))
    drawn = rng.multinomial(images, ratings.times / images, size=int(replicates)).astype(np.float64)
    found = statistic(ratings, drawn)
    low, high = np.nanquantile(found, [level / 2, 1 - level / 2])
    return Estimate(value=value, low=min(float(low), value), high=max(float(high), value), method=method)
