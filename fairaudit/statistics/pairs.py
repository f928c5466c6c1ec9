"""Pairs of labels that two samplers give the same noise, as tables of counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairaudit.statistics.correction import Array

Codes = NDArray[np.int64]


def pair_tables(a: ArrayLike, b: ArrayLike, prompts: ArrayLike, k: int, *, fewest: int = 1) -> Codes:
    """How often the labels (i, j) occur together, (P, K + 1, K + 1); the last code is "no label".

    Prompts with fewer than `fewest` images share one table.

    Raises
    ------
    ValueError
        If the arrays differ in length or hold codes that are not among the k values.
    """
    first, second, prompt = (np.asarray(codes, dtype=np.int64) for codes in (a, b, prompts))
    if not first.shape == second.shape == prompt.shape or first.ndim != 1:
        raise ValueError("labels of both samplers and prompts are rows of one length")
    if any(codes.min(initial=0) < -1 or codes.max(initial=0) >= k for codes in (first, second)):
        raise ValueError(f"labels are codes from 0 to {k - 1}, or -1 for none")
    _, stratum, size = np.unique(prompt, return_inverse=True, return_counts=True)
    _, stratum = np.unique(np.where(size < fewest, -1, np.arange(len(size)))[stratum], return_inverse=True)
    tables = np.zeros((stratum.max(initial=0) + 1, k + 1, k + 1), dtype=np.int64)
    np.add.at(tables, (stratum, first, second), 1)
    return tables


def swap(pairs: Codes, m: int, rng: np.random.Generator) -> Array:
    """Label counts (m, 2, K) after exchanging each pair's labels with probability 1/2."""
    swapped = rng.binomial(pairs, 0.5, size=(m, *pairs.shape))
    return marginals(pairs - swapped + swapped.transpose(0, 2, 1))


def marginals(tables: ArrayLike) -> Array:
    """Label counts (..., 2, K) of both samplers, of tables (..., K + 1, K + 1) of pairs."""
    table = np.asarray(tables, dtype=np.float64)
    return np.stack([table.sum(axis=-1)[..., :-1], table.sum(axis=-2)[..., :-1]], axis=-2)


def reweight(table: Codes, prompts: int, m: int, rng: np.random.Generator) -> Array:
    """Bayesian bootstrap (m, K + 1, K + 1) of a prompt's pairs; the priors of all weigh as one pair."""
    n, k = int(table.sum()), len(table) - 1
    # n - 2 makes the variance of the draws that of an unbiased estimate: strata may be small.
    weights = table * (max(n - 2, 1) / n)
    weights[:k, :k] += 1 / (prompts * k**2)
    drawn = rng.standard_gamma(weights, size=(m, *table.shape))
    return np.asarray(n * drawn / drawn.sum(axis=(1, 2), keepdims=True))
