"""Kernel distances to real images (KID, CMMD): features -> mean similarities -> distance -> interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from fairaudit.metrics.quality import vectors_of
from fairaudit.results import Estimate

Array = NDArray[np.float64]
Kernel = Callable[[Array, Array], Array]
"""Similarities (n, m) of vectors (n, d) and (m, d)."""

FEWEST = 16
"""Images below which the interval is not shown: its spread rests on as many influences."""
SIGMA = 10.0
"""Width of the Gaussian that CMMD is published with."""
SCALE = 1000.0
"""What CMMD is multiplied by, as published."""
_BLOCK = 1024
"""Rows of similarities that are in memory at once."""


def cubic(a: Array, b: Array) -> Array:
    """(a . b / d + 1)^3, the kernel of KID (Binkowski et al., ICLR 2018)."""
    return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)


def gaussian(a: Array, b: Array) -> Array:
    """exp(-|a - b|^2 / (2 sigma^2)) with sigma 10, the kernel of CMMD (Jayasumana et al., CVPR 2024)."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * (a @ b.T)
    return np.asarray(np.exp(-np.maximum(squares, 0) / (2 * SIGMA**2)))


@dataclass(frozen=True)
class Within:
    """Similarities of vectors (n, d) among themselves.

    Attributes
    ----------
    others
        (n,), summed over all others.
    own
        (n,), of each with itself.
    """

    others: Array
    own: Array

    @classmethod
    def of(cls, vectors: Array, kernel: Kernel) -> Within:
        """In blocks of rows."""
        n = len(vectors)
        own, others = np.empty(n), np.empty(n)
        for rows, similar in _blocks(vectors, vectors, kernel):
            own[rows] = similar[np.arange(len(similar)), np.arange(n)[rows]]
            others[rows] = similar.sum(1) - own[rows]
        return cls(others, own)

    @property
    def n(self) -> int:
        """Number of vectors."""
        return len(self.others)

    def mean(self, *, unbiased: bool) -> float:
        """Mean similarity of two: different ones, or, as the biased estimate takes it, of any two."""
        if unbiased:
            return float(self.others.sum() / (self.n * (self.n - 1)))
        return float((self.others.sum() + self.own.sum()) / self.n**2)

    def means_without(self, *, unbiased: bool) -> Array:
        """(n,), the same mean if one of the vectors were left out."""
        left = self.others.sum() - 2 * self.others
        if unbiased:
            return np.asarray(left / ((self.n - 1) * (self.n - 2)))
        return np.asarray((left + self.own.sum() - self.own) / (self.n - 1) ** 2)


class Similar:
    """Real images' features under a kernel, whose mutual similarities every distance to them needs."""

    def __init__(self, features: ArrayLike, kernel: Kernel) -> None:
        self.vectors, self.kernel = vectors_of(features), kernel

    @cached_property
    def within(self) -> Within:
        """Among themselves; computed once."""
        return Within.of(self.vectors, self.kernel)


def kid(features: ArrayLike, real: Similar, level: float = 0.05) -> Estimate:
    """Kernel inception distance: the squared maximum mean discrepancy under `cubic`, unbiased.

    From all pairs, not from random subsets: the estimate that subsets of clean-fid and torch-fidelity
    scatter about. It is unbiased at every n, and so may be negative.

    Parameters
    ----------
    features
        (n, d) of the generated images.
    real
        Of real images, with the kernel `cubic`.
    level
        The interval covers 1 - level.
    """
    return _distance(features, real, "KID", unbiased=True, scale=1.0, level=level)


def cmmd(features: ArrayLike, real: Similar, level: float = 0.05) -> Estimate:
    """CLIP maximum mean discrepancy, as published: under `gaussian`, biased, times 1000.

    Biased upward by about 1 / n, as a Frechet distance is; so is its interval, which is one for this n.

    Parameters
    ----------
    features
        (n, d) embeddings of length 1 of the generated images.
    real
        Of real images, with the kernel `gaussian`.
    """
    return _distance(features, real, "CMMD", unbiased=False, scale=SCALE, level=level)


def _distance(
    features: ArrayLike, real: Similar, name: str, *, unbiased: bool, scale: float, level: float
) -> Estimate:
    """A squared discrepancy with the interval that leaving out one image after the other gives.

    The jackknife's variance of a U-statistic is too large, not too small, on average (Efron & Stein
    1981, Annals of Statistics 9:586); where the two distributions are equal, it is twice the true
    one. It carries the sampling error of the images and that of the real ones.
    """
    vectors = vectors_of(features)
    method = f"{name}, jackknife over {len(vectors)} images and {len(real.vectors)} real ones"
    if reason := too_few(vectors, real):
        return Estimate(value=None, method=method, reason=reason)
    found = leave_one_out(vectors, real, unbiased=unbiased)
    deviation = np.sqrt(jackknife_variance(found.images) + jackknife_variance(found.real))
    half = stats.t.ppf(1 - level / 2, min(len(vectors), len(real.vectors)) - 1) * deviation
    value, low = found.value, found.value - half
    low = low if unbiased else max(low, 0.0)
    return Estimate(
        value=float(scale * value), low=float(scale * low), high=float(scale * (value + half)), method=method
    )


def too_few(vectors: Array, real: Similar) -> str | None:
    """Why the interval would mean nothing at these numbers of images; None where it would."""
    return (
        f"fewer than {FEWEST} images or real ones" if min(len(vectors), len(real.vectors)) < FEWEST else None
    )


@dataclass(frozen=True)
class LeaveOneOut:
    """A squared discrepancy.

    Attributes
    ----------
    value
        Of all.
    images, real
        (n,) and (m,): without one of the images, or of the real ones.
    """

    value: float
    images: Array
    real: Array


def leave_one_out(vectors: Array, real: Similar, *, unbiased: bool) -> LeaveOneOut:
    """The squared discrepancy of images (n, d) to real ones, and what each of either changes."""
    own, theirs = Within.of(vectors, real.kernel), real.within
    rows, columns = _across(vectors, real)
    n, m, total = own.n, theirs.n, rows.sum()
    value = own.mean(unbiased=unbiased) + theirs.mean(unbiased=unbiased) - 2 * total / (n * m)
    without = own.means_without(unbiased=unbiased) - 2 * (total - rows) / ((n - 1) * m)
    without_real = theirs.means_without(unbiased=unbiased) - 2 * (total - columns) / (n * (m - 1))
    return LeaveOneOut(float(value), without, without_real)


def jackknife_variance(without: Array) -> float:
    """Variance of an estimate from its values (n,) with one observation left out at a time."""
    n = len(without)
    return float((n - 1) / n * np.square(without - without.mean()).sum())


def _across(vectors: Array, real: Similar) -> tuple[Array, Array]:
    """Similarities to real images, summed for every image (n,) and for every real one (m,)."""
    rows, columns = np.empty(len(vectors)), np.zeros(len(real.vectors))
    for some, similar in _blocks(vectors, real.vectors, real.kernel):
        rows[some] = similar.sum(1)
        columns += similar.sum(0)
    return rows, columns


def _blocks(a: Array, b: Array, kernel: Kernel) -> Iterator[tuple[slice, Array]]:
    for begin in range(0, len(a), _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        yield rows, kernel(a[rows], b)
