"""Pairs of labels that two samplers give the same noise, as tables of counts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairaudit.statistics.correction import Array, invert_shares, prediction_rates
from fairaudit.statistics.draws import TINY, Array32, Gammas, coins, inverse_draws, normalise, unmix
from fairaudit.statistics.shares import check_target

Codes = NDArray[np.int64]

_FEW = 4
"""Up to so many values, weights are drawn for pairs of values that do not occur, too."""


def check_goal(target: ArrayLike) -> Array:
    """Fair shares (K,) of two values or more, or `ValueError`."""
    goal = check_target(target, np.size(target))
    if len(goal) < 2:
        raise ValueError("shares of one value are always 1: they have no discrepancy")
    return goal


def pair_tables(a: ArrayLike, b: ArrayLike, prompts: ArrayLike, k: int, *, fewest: int = 1) -> Codes:
    """How often the labels (i, j) occur together, (P, K + 1, K + 1); the last code is "no label".

    Prompts with fewer than `fewest` images share one table.

    Raises
    ------
    ValueError
        If the arrays differ in length or hold codes that are not among the k values.
    """
    first, second, prompt = (_codes(codes) for codes in (a, b, prompts))
    if not first.shape == second.shape == prompt.shape or first.ndim != 1:
        raise ValueError("labels of both samplers and prompts are rows of one length")
    if any(codes.min(initial=0) < -1 or codes.max(initial=-1) >= k for codes in (first, second)):
        raise ValueError(f"labels are codes from 0 to {k - 1}, or -1 for none")
    _, stratum, size = np.unique(prompt, return_inverse=True, return_counts=True)
    _, stratum = np.unique(np.where(size < fewest, -1, np.arange(len(size)))[stratum], return_inverse=True)
    tables = np.zeros((stratum.max(initial=0) + 1, k + 1, k + 1), dtype=np.int64)
    np.add.at(tables, (stratum, first, second), 1)
    return tables


def _codes(codes: ArrayLike) -> Codes:
    found = np.asarray(codes)
    if found.size and not (np.issubdtype(found.dtype, np.number) and np.isfinite(found).all()):
        raise ValueError("labels and prompts are whole numbers, -1 for no label")
    if (found != np.floor(found)).any():
        raise ValueError("labels and prompts are whole numbers, -1 for no label")
    return found.astype(np.int64)


def marginals(tables: ArrayLike) -> Array:
    """Label counts (..., 2, K) of both samplers, of tables (..., K + 1, K + 1) of pairs."""
    table = np.asarray(tables, dtype=np.float64)
    return np.stack([table.sum(axis=-1)[..., :-1], table.sum(axis=-2)[..., :-1]], axis=-2)


def swap(table: Codes, m: int, rng: np.random.Generator) -> Array32:
    """Label counts (2, K, m) after exchanging each pair's labels with probability 1/2."""
    pairs = np.triu(table + table.T, 1)
    first = np.repeat((np.diag(table) + pairs.sum(axis=0))[:, None], m, axis=1).astype(np.float32)
    for i, j in np.argwhere(pairs):
        heads = coins(int(pairs[i, j]), m, rng)
        first[i] += heads
        first[j] -= heads
    # What the first sampler does not have, the second has.
    both = (table.sum(axis=0) + table.sum(axis=1)).astype(np.float32)
    return np.stack([first, both[:, None] - first])[:, :-1]


def reweight(tables: Codes, m: int, rng: np.random.Generator, *, priors: float) -> Iterator[Array32]:
    """Dirichlet draws of each prompt's pairs: label weights (2, K, m) of one table after the other.

    A Bayesian bootstrap: every pair of values has a gamma weight; over all tables the priors weigh as
    `priors` pairs. Of more than four values, one of the pairs that do not occur has at random the weight
    of all of them: weights of so small a shape nearly all belong to one anyway.
    """
    prior = priors / (len(tables) * (tables.shape[1] - 1) ** 2)
    n = np.maximum(tables.sum(axis=(1, 2), keepdims=True), 1)
    # n - 2 makes the variance of the draws that of an unbiased estimate: strata may be small.
    shapes = tables * (np.maximum(n - 2, 1) / n)
    shapes[:, :-1, :-1] += prior
    drawn = shapes > 0 if tables.shape[1] - 1 <= _FEW else tables > 0
    draw = Gammas(shapes[drawn], m, rng)
    unseen = np.argwhere(~drawn[:, :-1, :-1])
    rest = rng.standard_gamma(prior * len(unseen), size=m, dtype=np.float32)
    cell = unseen[rng.integers(len(unseen), size=m)] if rest.any() else np.full((m, 3), -1)
    for stratum, table in enumerate(tables):
        weights, total = np.zeros((2, len(table), m), dtype=np.float32), np.full(m, TINY)
        for i, j in np.argwhere(drawn[stratum]):
            weight = draw(shapes[stratum, i, j])
            weights[0, i] += weight
            weights[1, j] += weight
            total += weight
        here = np.flatnonzero(cell[:, 0] == stratum)
        weights[0, cell[here, 1], here] += rest[here]
        weights[1, cell[here, 2], here] += rest[here]
        total[here] += rest[here]
        weights *= table.sum() / total
        yield weights[:, :-1]


def share_draws(
    tables: Codes, confusion: Array | None, m: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Shares (2, K) of both samplers and draws (2, K, m) of them, corrected, unclipped.

    One drawn confusion matrix a replicate serves both samplers.
    """
    counts = marginals(tables.sum(axis=0))
    centre = counts / counts.sum(axis=-1, keepdims=True)
    labels = np.zeros((*counts.shape, m), dtype=np.float32)
    for weights in reweight(tables, m, rng, priors=1):
        labels += weights
    drawn = normalise(labels)
    if confusion is not None:
        centre = invert_shares(centre, prediction_rates(confusion))
        drawn = unmix(drawn, inverse_draws(confusion, m, rng))
    return centre, drawn.astype(np.float64)
