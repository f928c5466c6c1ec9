"""Bounds on a mean that hold at every look: a gambler who doubts them would have become rich."""

from __future__ import annotations

import numpy as np

from fairaudit.statistics.correction import Array

_BETS = 0.02 * 1.5 ** np.arange(10)
"""Fractions of the wealth at stake, .02 to .77: the finest pays after thousands of images, the coarsest
after a handful. The mean of their capitals costs log 10 nats against the best of them."""

_HALVINGS = 35


def log_capital(counts: Array, scores: Array, mean: Array) -> Array:
    """Log wealth of a gambler who bets that labels score more than a claimed mean.

    The mean over bets c of ``prod(1 - c + c * score / mean)`` (capital process of Waudby-Smith & Ramdas,
    JRSS B 2024, with fixed bets). If the true mean is at most `mean`, the wealth has expectation at most
    1 at every look, so it ever reaches 1 / level with probability at most level. That also holds for
    images that are not alike (stratified assignments, several prompts) if their mean is at most
    `mean` at every look, because a product of factors with a given sum is largest where they are equal.

    Parameters
    ----------
    counts
        (..., L) labels so far.
    scores
        (..., V, L) scores of every label, in [0, 1].
    mean
        (..., V) claimed means, in [0, 1].

    Returns
    -------
    (..., V)
    """
    gain = scores / np.maximum(mean, 1e-12)[..., None] - 1
    growth = np.log1p(_BETS[:, None] * gain[..., None, :])
    wealth = (growth @ counts[..., None, :, None])[..., 0]
    return np.asarray(np.logaddexp.reduce(wealth, axis=-1) - np.log(len(_BETS)))


def mean_bounds(counts: Array, scores: Array, level: float) -> tuple[Array, Array]:
    """Bounds (..., V) that hold the mean scores at all looks with probability 1 - level each."""
    low = _low_bound(counts, scores, level)
    return low, 1 - _low_bound(counts, 1 - scores, level)


def _low_bound(counts: Array, scores: Array, level: float) -> Array:
    """The smallest mean at which the wealth stays under 2 / level; it falls as the mean rises."""
    total = np.maximum(counts.sum(axis=-1), 1)[..., None]
    high: Array = (scores @ counts[..., None])[..., 0] / total
    low: Array = np.zeros_like(high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rich = log_capital(counts, scores, middle) >= np.log(2 / level)
        low, high = np.where(rich, middle, low), np.where(rich, high, middle)
    return low
