"""Random draws of counts, many at once: replicates are the last axis, and in float32."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from fairaudit.statistics.correction import Array
from fairaudit.statistics.shares import draw_shares

Array32 = NDArray[np.float32]

TINY = np.finfo(np.float32).tiny

_SLICES = 1024
_OFTEN = 100_000
"""Draws of one shape from which on they come out of a table, which costs as much as this many."""

_BITS = 15
_ONES = np.array([i.bit_count() for i in range(2**_BITS)], dtype=np.float32)


class Gammas:
    """Draws from gamma distributions, most of which have the same few shapes.

    Shapes that are needed often are drawn from a table: one of the means of 1024 equally likely
    slices of the distribution, which keeps the mean and, for shapes from 0.5, 99.8 % of the variance.

    Parameters
    ----------
    shapes
        All the shapes that will be asked for, each as often as it will be.
    m
        Number of draws each time.
    """

    def __init__(self, shapes: ArrayLike, m: int, rng: np.random.Generator) -> None:
        found, times = np.unique(np.asarray(shapes, dtype=np.float64), return_counts=True)
        self._often = set(found[times * m >= _OFTEN].tolist())
        self._m, self._rng = m, rng

    def __call__(self, shape: float) -> Array32:
        """(m,) draws."""
        if shape not in self._often:
            return self._rng.standard_gamma(shape, size=self._m, dtype=np.float32)
        return _slices(shape)[self._rng.integers(_SLICES, size=self._m, dtype=np.uint16)]


@lru_cache(maxsize=1024)
def _slices(shape: float) -> Array32:
    edges = special.gammaincinv(shape, np.arange(_SLICES + 1) / _SLICES)
    return (shape * _SLICES * np.diff(special.gammainc(shape + 1, edges))).astype(np.float32)


def coins(n: int, m: int, rng: np.random.Generator) -> Array32:
    """How many of n fair coins show heads, (m,) draws."""
    if n > _BITS:
        return rng.binomial(n, 0.5, size=m).astype(np.float32)
    return _ONES[rng.integers(2**n, size=m, dtype=np.uint16)]


def normalise(weights: Array32) -> Array32:
    """Weights (..., K, m) made shares, in place."""
    weights += TINY  # tiny weights underflow to 0; a column of zeros has no shares
    weights /= weights.sum(axis=-2, keepdims=True)
    return weights


def inverse_draws(confusion: Array, m: int, rng: np.random.Generator) -> Array32:
    """Inverses (K, K, m) of m confusion matrices that the calibration allows."""
    inverses = np.linalg.inv(draw_shares(confusion, m, rng))
    return np.ascontiguousarray(np.moveaxis(inverses, 0, -1), dtype=np.float32)


def unmix(shares: Array32, inverses: Array32) -> Array32:
    """`invert_shares` of shares (..., K, m) by m inverse matrices (K, K, m)."""
    return np.asarray(np.einsum("...km,klm->...lm", shares, inverses))


def dirichlet_shapes(counts: Array) -> Array:
    """Parameters (P, K) of Dirichlet draws of the shares behind counts (P, K) of P prompts.

    With n - 2 in all, the draws vary as p (1 - p) / (n - 1): without bias. All the priors weigh as
    one image: one each would pull many prompts towards uniform together.
    """
    prior, n = 1 / len(counts), counts.sum(axis=1, keepdims=True)
    return np.asarray(counts * np.maximum(1 - (2 + prior) / n, 0.25) + prior / counts.shape[1])


def mean_square(shapes: Array, centres: Array, inverses: Array32 | None) -> float:
    """Mean over prompts of E ||q - centre||^2 for Dirichlet shares q: what chance adds to FD squared.

    Parameters
    ----------
    shapes
        (P, K) parameters of the Dirichlet distributions.
    centres
        (P, K) estimated shares.
    inverses
        (K, K, m) that q is unmixed by, drawn at random; or None.
    """
    k = shapes.shape[1]
    matrices = np.eye(k)[:, :, None] if inverses is None else inverses.astype(np.float64)
    square = np.einsum("klm,jlm->kj", matrices, matrices) / matrices.shape[2]
    total = shapes.sum(axis=1)
    means = shapes / total[:, None]
    # E[q q'] = (shapes shapes' + diag(shapes)) / (total (total + 1))
    moments = np.einsum("pk,kj,pj->p", shapes, square, shapes) + shapes @ np.diag(square)
    across = np.einsum("pk,kl,pl->p", means, matrices.mean(axis=2), centres)
    return float((moments / (total * (total + 1)) - 2 * across + (centres**2).sum(axis=1)).mean())


class Deviations:
    """Draws of the discrepancy of P prompts' shares, prompt by prompt, never all held at once.

    What `discrepancy_draws` solves for needs of the deviations of the draws from the estimate only
    their sums over prompts: of their length along the estimate's direction, and of their squares.

    Parameters
    ----------
    centres
        (P, K) estimated shares, unclipped.
    goal
        (K,) fair shares, or (P, K).
    m
        Number of draws.
    """

    def __init__(self, centres: Array, goal: Array, m: int) -> None:
        self._centres, self._root = centres.astype(np.float32), np.sqrt(len(centres))
        offset = (centres - goal) / self._root
        self.distance = float(np.linalg.norm(offset))
        if self.distance < 1e-12:
            offset = np.zeros_like(centres)
            k = centres.shape[1]
            offset[0] = np.eye(k)[0] - 1 / k
        length = max(float(np.linalg.norm(offset)), np.finfo(np.float64).tiny)  # 0 for a single value
        self._direction = (offset / length).astype(np.float32)
        self._along, self._square = np.zeros(m), np.zeros(m)

    def add(self, prompt: int, drawn: Array32) -> None:
        """The draws (K, m) of one prompt's shares."""
        off = (drawn - self._centres[prompt][:, None]) / np.float32(self._root)
        self._along += self._direction[prompt] @ off
        self._square += np.einsum("km,km->m", off, off)

    def discrepancy(self, noise: float, furthest: float) -> float:
        """The estimate: the distance without what chance adds to its square (`mean_square`)."""
        return min(furthest, float(np.sqrt(max(0.0, self.distance**2 - noise))))

    def discrepancies(self, furthest: float) -> Array:
        """Draws (m,) of where the true discrepancy may be; negative ones mean "0, and more than that".

        Where a correction throws the estimate beyond what is possible, they are moved back whole:
        cut off at the border they would feign certainty.
        """
        across = np.maximum(self._square - self._along**2, 0)
        solved = self._along + np.sqrt(np.maximum(self.distance**2 - across, 0))
        return np.asarray(solved - max(0.0, self.distance - furthest))
