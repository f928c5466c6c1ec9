"""The half-widths that `estimate_shares` will have, before there is an image."""

from __future__ import annotations

import numpy as np
from scipy import special

from fairaudit.statistics.correction import Array, prediction_rates
from fairaudit.statistics.shares import estimate_shares, wilson

_AUDITS = 60
_REPLICATES = 300


def wilson_half_width(counts: Array, level: float) -> float:
    """Of the widest interval of expected counts (K,) that are taken as they are."""
    low, high = wilson(counts, level)
    return float((high - low).max() / 2)


def corrected_half_width(n: int, shares: Array, confusion: Array, level: float) -> float:
    """Mean half-width of the widest of the corrected intervals.

    From variances where that interval ends within [0, 1]. At the border intervals are skewed and cut,
    so audits are simulated there, from the same seed for every n.

    Parameters
    ----------
    n
        Images.
    shares
        (K,) true shares.
    confusion
        (K, K) calibration counts; their rates are taken to be the true ones.
    level
        The intervals cover 1 - level.
    """
    half = special.ndtri(1 - level / 2) * np.sqrt(_variances(n, shares, confusion))
    widest = half.argmax()
    if half[widest] <= min(shares[widest], 1 - shares[widest]):
        return float(half[widest])
    return _simulated(n, shares, confusion, level)


def _variances(n: int, shares: Array, confusion: Array) -> Array:
    """Variances (K,) of corrected shares: the labels' and the calibration's, by the delta method."""
    k, rates = len(shares), prediction_rates(confusion)
    inverse, expected = np.linalg.inv(rates), shares @ rates
    labels = expected @ inverse**2 - (expected @ inverse) ** 2
    smooth, rows = prediction_rates(confusion + 1 / k), confusion.sum(axis=1, keepdims=True)
    errors = (smooth @ inverse**2 - (smooth @ inverse) ** 2) / (rows + 2)
    return np.asarray(labels / n + shares**2 @ errors)


def _simulated(n: int, shares: Array, confusion: Array, level: float) -> float:
    rng, rates = np.random.default_rng(0), prediction_rates(confusion)
    rows = np.maximum(np.rint(confusion.sum(axis=1)), 1).astype(np.int64)
    halves = []
    for seed in range(_AUDITS):
        counts, calibration = rng.multinomial(n, shares @ rates), rng.multinomial(rows, rates)
        found = estimate_shares(counts, calibration, level=level, replicates=_REPLICATES, seed=seed)
        if found.low is not None and found.high is not None:
            halves.append((found.high - found.low) / 2)
    return float(np.mean(halves, axis=0).max()) if halves else 0.5
