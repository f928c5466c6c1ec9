"""Shares corrected for a classifier's own errors: what was labelled is not what was there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SEPARATION = 0.02
"""Smallest singular value of P(predicted | true) that is still inverted: below it, sampling noise in
the labels grows more than fiftyfold. A binary classifier with equal accuracies reaches it at 51 %."""


class SingularConfusionError(ValueError):
    """The classifier cannot tell these values apart, so no share can be computed from its labels."""


def prediction_rates(confusion: ArrayLike) -> Array:
    """P(predicted | true) from counts.

    Parameters
    ----------
    confusion
        (..., K, K) counts or rates of at least 0; rows are true values, columns predicted ones.

    Returns
    -------
    (..., K, K) rates; every row sums to 1.

    Raises
    ------
    SingularConfusionError
        If a true value was never seen, so that nothing is known of its errors.
    ValueError
        If the matrix is not square, or holds negative or infinite entries.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise ValueError(f"a confusion matrix is square, not {counts.shape}")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError("a confusion matrix holds finite counts of at least 0")
    totals = np.sum(counts, axis=-1, keepdims=True)
    if (totals == 0).any():
        raise SingularConfusionError("the calibration has a value without a single example")
    return np.asarray(counts / totals, dtype=np.float64)


def check_confusion(confusion: ArrayLike, k: int) -> Array:
    """Calibration counts (k, k) as float64, or `ValueError`.

    Raises
    ------
    SingularConfusionError
        If a true value was never seen.
    """
    matrix = np.asarray(confusion, dtype=np.float64)
    prediction_rates(matrix)
    if matrix.shape != (k, k):
        raise ValueError(f"{k} values do not belong to calibration counts of shape {matrix.shape}")
    return matrix


def check_separation(rates: Array) -> None:
    """Raise `SingularConfusionError` if any matrix of rates (..., K, K) is too near to singular."""
    if np.linalg.svd(rates, compute_uv=False).min(initial=1.0) < SEPARATION:
        raise SingularConfusionError("the classifier cannot tell these values apart")


def invert_shares(raw: Array, rates: Array) -> Array:
    """The (..., K) shares with ``rates.T @ shares == raw``; they sum to 1 but may leave [0, 1].

    For two values this is the estimator of Rogan & Gladen (1978).
    """
    solution = np.linalg.solve(np.swapaxes(rates, -1, -2), raw[..., None])
    return np.asarray(solution[..., 0], dtype=np.float64)


def correct_shares(raw: ArrayLike, confusion: ArrayLike) -> Array:
    """True shares behind the shares that a classifier of known errors reported.

    Solves ``min ||raw - P(predicted | true).T @ shares||_2`` over the simplex. For two values that is
    the point estimate of CLEAM (Teo et al., NeurIPS 2023), (raw_0 - (1 - a_1)) / (a_0 + a_1 - 1),
    clipped to [0, 1].

    Parameters
    ----------
    raw
        (..., K) shares among the labels, at least 0, summing to 1.
    confusion
        (..., K, K) counts or rates, rows true values, columns predicted; broadcasts against `raw`.

    Returns
    -------
    (..., K) shares, at least 0, summing to 1.

    Raises
    ------
    SingularConfusionError
        If the matrix cannot be inverted, or only with noise that drowns the answer.
    ValueError
        If the shapes do not belong together.
    """
    labelled, rates = np.asarray(raw, dtype=np.float64), prediction_rates(confusion)
    k = rates.shape[-1]
    if labelled.shape[-1:] != (k,):
        raise ValueError(f"{labelled.shape[-1:]} shares do not belong to a {k} x {k} confusion matrix")
    check_separation(rates)
    free = invert_shares(labelled, rates)
    outside = (free < 0).any(axis=-1)
    if outside.any():
        rows = np.broadcast_to(labelled, free.shape)[outside]
        free[outside] = _nearest(rows, np.broadcast_to(rates, (*free.shape, k))[outside])
    return free


def _nearest(raw: Array, rates: Array) -> Array:
    """Constrained least squares for (m, K) rows at once, by the primal active-set method.

    Every round moves each row to the optimum of its free values, stops at the first value that
    reaches 0 and holds it there, or frees the held value whose multiplier is most negative. A row
    that is done solves to itself, so no bookkeeping says which rows are left.
    """
    k, rows = raw.shape[1], np.arange(len(raw))
    quadratic, linear = rates @ np.swapaxes(rates, 1, 2), (rates @ raw[..., None])[..., 0]
    shares, free = np.full_like(raw, 1 / k), np.ones(raw.shape, dtype=bool)
    for _ in range(10 * k):
        goal, multiplier = _optimum(quadratic, linear, free)
        falling = free & (goal < 0)
        fraction = np.where(falling, shares / np.where(falling, shares - goal, 1), 1)
        first = fraction.argmin(axis=1)
        stopped = falling.any(axis=1)
        shares += fraction[rows, first][:, None] * (goal - shares)
        free[rows[stopped], first[stopped]] = False
        shares[~free] = 0
        worst = np.where(free, 0, multiplier).argmin(axis=1)
        released = ~stopped & ~free[rows, worst] & (multiplier[rows, worst] < -1e-12)
        free[rows[released], worst[released]] = True
        if not (stopped | released).any():
            break
    return shares


def _optimum(quadratic: Array, linear: Array, free: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Optimum (m, K) with the values that are not free at 0, and the multipliers of those."""
    m, k = linear.shape
    system, right = np.zeros((m, k + 1, k + 1)), np.ones((m, k + 1))
    system[:, :k, :k] = np.where(free[..., None], quadratic, np.eye(k))
    system[:, :k, k] = free
    system[:, k, :k] = 1
    right[:, :k] = np.where(free, linear, 0)
    solution = np.linalg.solve(system, right[..., None])[..., 0]
    goal, level = solution[:, :k], solution[:, k:]
    return goal, (quadratic @ goal[..., None])[..., 0] - linear + level
