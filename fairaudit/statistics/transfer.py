"""Does a calibration hold on these images? Its classifier should be as sure of them as it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairaudit.results import Transfer
from fairaudit.statistics.correction import Array
from fairaudit.statistics.soft import check_probabilities

TEST = "Kolmogorov-Smirnov distance of binned confidence, permutation"

NOTABLE = 0.1
"""Distance from which on a significant difference is a warning. Large samples make any difference
significant; at 0.1, one image in ten is on the other side of some confidence than it would be for the
calibration's faces, which is as much as the errors of a 90 % accurate classifier altogether."""

FEWEST = 20
"""Images on either side below which no distance of 0.1 could be told from chance."""


def confidence_histogram(probabilities: ArrayLike, bins: int = 20) -> NDArray[np.int64]:
    """Counts (bins,) of the largest probability of every image, in equal bins of [0, 1].

    A bin holds its lower edge; the last one also holds 1.

    Raises
    ------
    ValueError
        If probabilities (n, K) do not sum to 1.
    """
    top = check_probabilities(probabilities).max(axis=1)
    # Whole numbers first: 0.85 * 20 is 17, which 0.85 // 0.05 is not.
    place = np.minimum(np.floor(top * bins + 1e-9).astype(np.int64), bins - 1)
    return np.bincount(place, minlength=bins)


def transfer_test(
    generated: ArrayLike,
    calibration: ArrayLike,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> Transfer:
    """Two-sample test of the confidence on generated images against that on the calibration's.

    The statistic is the largest difference of the two cumulated histograms. Its p-value comes from
    permuting the images between the samples (multivariate hypergeometric draws of the pooled
    histogram), so it is exact for binned, tied data, where the usual Kolmogorov-Smirnov p-value is too large.

    A shift of the shares alone can shift the confidence, if the classifier is surer of one value:
    the warning is a reason to look, not a proof of errors. And equal confidence is none of equal accuracy.

    Parameters
    ----------
    generated, calibration
        (B,) counts from `confidence_histogram`.
    level
        Significance that a warning needs, besides a distance of at least 0.1.

    Returns
    -------
    Transfer
        Without numbers, and with a reason, for fewer than 20 images on either side.

    Raises
    ------
    ValueError
        If the histograms are not whole counts in the same bins.
    """
    ours, theirs = _check(generated), _check(calibration)
    if ours.shape != theirs.shape:
        raise ValueError(f"histograms of {ours.size} and {theirs.size} bins cannot be compared")
    n, m = int(ours.sum()), int(theirs.sum())
    if min(n, m) < FEWEST:
        reason = f"fewer than {FEWEST} {'images' if n < FEWEST else 'calibration faces'} with a confidence"
        return Transfer(p_value=None, distance=None, test=TEST, warning=False, reason=reason)
    pooled = ours + theirs
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_hypergeometric(pooled, n, size=replicates, method="marginals")
    distance = float(_distance(ours, theirs))
    extreme = int((_distance(drawn, pooled - drawn) >= distance - 1e-12).sum())
    p_value = (extreme + 1) / (replicates + 1)
    warning = p_value < level and distance >= NOTABLE
    return Transfer(p_value=p_value, distance=distance, test=TEST, warning=warning)


def _check(counts: ArrayLike) -> NDArray[np.int64]:
    given = np.asarray(counts, dtype=np.float64)
    if given.ndim != 1 or not np.isfinite(given).all() or (given < 0).any() or (given % 1).any():
        raise ValueError("a histogram is one row of whole counts of at least 0")
    return given.astype(np.int64)


def _distance(first: NDArray[np.int64], second: NDArray[np.int64]) -> Array:
    """Largest difference of cumulated shares, over the last axis."""
    shares = (counts.cumsum(axis=-1) / counts.sum(axis=-1, keepdims=True) for counts in (first, second))
    return np.asarray(np.abs(np.subtract(*shares)).max(axis=-1))
