"""What is left of the labels when unsure ones are not taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairaudit.statistics.correction import Array
from fairaudit.statistics.soft import check_probabilities


@dataclass(frozen=True)
class ThresholdShares:
    """Raw shares by abstention threshold.

    Attributes
    ----------
    thresholds
        (T,) as asked for.
    labelled
        (T,) number of images whose largest probability reaches the threshold.
    shares
        (T, K) raw shares among these; rows of nan where none is left.
    """

    thresholds: Array
    labelled: NDArray[np.int64]
    shares: Array


def threshold_shares(probabilities: ArrayLike, thresholds: ArrayLike) -> ThresholdShares:
    """Labelled images and raw shares at every threshold of the largest probability.

    Shares that move with the threshold say that the classifier is unsure of one value more often
    than of another: abstention is then not neutral, and the correction belongs to one threshold.

    Parameters
    ----------
    probabilities
        (n, K) of all images that have any.
    thresholds
        (T,) in [0, 1]. At 0 every image keeps its label.

    Raises
    ------
    ValueError
        If probabilities do not sum to 1, or thresholds leave [0, 1].
    """
    rows, least = check_probabilities(probabilities), np.asarray(thresholds, dtype=np.float64)
    if least.ndim != 1 or not ((least >= 0) & (least <= 1)).all():
        raise ValueError("thresholds are one row of numbers in [0, 1]")
    kept = rows.max(axis=1) >= least[:, None]
    counts = kept.astype(np.float64) @ np.eye(rows.shape[1])[rows.argmax(axis=1)]
    labelled = kept.sum(axis=1)
    shares = np.full(counts.shape, np.nan)
    np.divide(counts, labelled[:, None], out=shares, where=labelled[:, None] > 0)
    return ThresholdShares(least, labelled, shares)
