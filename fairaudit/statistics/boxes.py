"""Shares that are known up to a box: every value within its bounds, and all of them sum to 1."""

from __future__ import annotations

import numpy as np

from fairaudit.statistics.correction import Array


def nearest(counts: Array, low: Array, high: Array) -> Array:
    """The label distribution in a box (..., K) under which counts (..., K) are most likely.

    It is ``clip(scale * counts, low, high)`` with the scale at which it sums to 1.
    """
    shares = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    least, most = np.full((*shares.shape[:-1], 1), -20.0), np.full((*shares.shape[:-1], 1), 20.0)
    for _ in range(45):
        middle = (least + most) / 2
        under = np.clip(np.exp(middle) * shares, low, high).sum(axis=-1, keepdims=True) < 1
        least, most = np.where(under, middle, least), np.where(under, most, middle)
    return np.asarray(np.clip(np.exp(middle) * shares, low, high))


def discrepancy_bounds(low: Array, high: Array, target: Array) -> tuple[Array, Array]:
    """Least and largest discrepancy (...) of shares that sum to 1 within a box (..., K).

    The largest is bounded by weak duality: for any multiplier v, ``sum (s_i - t_i)**2`` is at most the
    sum of every value's largest ``d_i**2 + v * d_i``, because the d_i sum to 0.
    """
    below, above = low - target, high - target
    least = np.linalg.norm(np.maximum(0, np.maximum(below, -above)), axis=-1)
    multiplier = -(below + above)[..., None]
    ends = ((e**2)[..., None, :] + multiplier * e[..., None, :] for e in (below, above))
    largest = np.maximum(*ends).sum(axis=-1).min(axis=-1)
    return np.asarray(least), np.sqrt(np.maximum(largest, least**2))
