"""Distances between two laws that are known by samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

Array = NDArray[np.float64]


def sliced_wasserstein(a: Array, b: Array, *, directions: int = 200, seed: int = 0) -> float:
    """Sliced Wasserstein-2 distance of two samples of equal size (Bonneel et al. 2015).

    The root of the mean, over random directions, of the squared distance of sorted projections.

    Parameters
    ----------
    a, b
        (n, d) each.
    """
    ways = np.random.default_rng(seed).standard_normal((a.shape[1], directions))
    ways /= np.linalg.norm(ways, axis=0)
    return float(np.sqrt(np.square(np.sort(a @ ways, 0) - np.sort(b @ ways, 0)).mean()))


class Energy:
    """The squared energy distance of two laws from samples that share their noise, row by row.

    ``2 E|X - Y| - E|X - X'| - E|Y - Y'|`` (Szekely & Rizzo 2013), 0 only for equal laws. Row i of both
    samples comes from the same noise, so only pairs of different rows are independent, and only
    those are averaged: the estimate is unbiased, and exactly 0 for equal samples.
    """

    def __init__(self, a: Array, b: Array) -> None:
        across = cdist(a, b)
        self._all = across + across.T - cdist(a, a) - cdist(b, b)
        np.fill_diagonal(self._all, 0.0)

    def of(self, rows: NDArray[np.int64]) -> float:
        """The distance that some of the rows give."""
        return float(self._all[np.ix_(rows, rows)].sum() / (len(rows) * (len(rows) - 1)))


def witness(points: Array, first: Array, second: Array) -> Array:
    """(n,) how much nearer points are to the first sample than to the second, on average.

    The witness function of the energy distance, ``E|z - S| - E|z - F|`` by (n, d) samples. Row i of
    all three comes from the same noise and is left out.
    """
    count = len(points)
    gain = cdist(points, second) - cdist(points, first)
    np.fill_diagonal(gain, 0.0)
    mean: Array = gain.sum(1) / (count - 1)
    return mean
