"""What a calibration of finite size leaves open, as margins around what it says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from fairaudit.statistics.correction import Array, prediction_rates


def null_box(target: Array, confusion: Array, level: float) -> tuple[Array, Array]:
    """Box (..., K) that holds the label shares of a generator on target.

    The share of label j is ``sum_i target_i * P(j | i)``: Clopper & Pearson (1934) limits of every
    rate, squared and added (Zou & Donner, Statistics in Medicine 2008), so that independent errors of
    the rows do not pile up; Bonferroni over the values.

    Parameters
    ----------
    target
        (K,) fair shares.
    confusion
        (..., K, K) calibration counts, rows true values.
    level
        The box fails with probability about `level`, over calibrations.
    """
    rates, rows = prediction_rates(confusion), confusion.sum(axis=-1, keepdims=True)
    tail = level / 2 / family(len(target))
    low = special.betaincinv(np.maximum(confusion, 1e-9), rows - confusion + 1, tail)
    high = special.betaincinv(confusion + 1, np.maximum(rows - confusion, 1e-9), 1 - tail)
    low, high = np.where(confusion > 0, low, 0), np.where(confusion < rows, high, 1)
    weight, centre = target[:, None], target @ rates
    below = np.linalg.norm(weight * (rates - low), axis=-2)
    above = np.linalg.norm(weight * (high - rates), axis=-2)
    return np.clip(centre - below, 0, 1), np.clip(centre + above, 0, 1)


def family(k: int) -> int:
    """How many of k shares can err on their own: of two values, what one does the other mirrors."""
    return 1 if k == 2 else k


@dataclass(frozen=True)
class Reading:
    """Scores of labels whose means are the shares, up to what the calibration leaves open.

    Score k is 1 on average for true value k and 0 for the others, as the calibration says; so its
    mean is the share of value k.

    Attributes
    ----------
    scores
        (..., K, K) score k of label j, moved and stretched to [0, 1].
    start, span
        (..., K) what undoes that: ``start + span * score``.
    below, above
        (..., K, K) how far the mean of score k may be from that, for true value i.
    """

    scores: Array
    start: Array
    span: Array
    below: Array
    above: Array

    def share_bounds(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Bounds (..., K) on the shares from bounds on the means of the scores.

        At a share s of value k the mean of its score is s, off by at most
        ``hypot(s * own margin, (1 - s) * largest margin of the others)``, whatever the others are.
        """
        low, high = self.start + self.span * low, self.start + self.span * high
        own, other = own_and_other(self.above)
        smallest = _crossing(low, own, other)
        own, other = own_and_other(self.below)
        return smallest, 1 - _crossing(1 - high, other, own)


def plain(k: int) -> Reading:
    """Labels taken as they are."""
    nothing = np.zeros((k, k))
    return Reading(np.eye(k), np.zeros(k), np.ones(k), nothing, nothing)


def calibrated(confusion: Array, level: float) -> Reading:
    """Labels read through (..., K, K) calibration counts, rows true values.

    The scores are the columns of the inverse of P(label | true value). Their margins, which fail
    with probability about `level` each, are quantiles of the beta distribution that has mean and
    variance of the score under a Dirichlet posterior of the row; for K = 2 that is the interval of
    Jeffreys. The scores are computed from the same calibration as their margins, which is of
    no consequence for K = 2, and of second order in the errors for more values.
    """
    k, rows = confusion.shape[-1], confusion.sum(axis=-1)[..., None, :]
    rates, smooth = prediction_rates(confusion), prediction_rates(confusion + 1 / k)
    solved = np.swapaxes(np.linalg.inv(rates), -1, -2)
    start, span = solved.min(axis=-1), np.ptp(solved, axis=-1)
    scores = (solved - start[..., None]) / span[..., None]
    said, mean = (scores @ np.swapaxes(r, -1, -2) for r in (rates, smooth))
    variance = (scores**2 @ np.swapaxes(smooth, -1, -2) - mean**2) / (rows + 2)
    weight = mean * (1 - mean) / variance - 1
    low, high = (
        special.betaincinv(mean * weight, (1 - mean) * weight, q) for q in (level / 2, 1 - level / 2)
    )
    below, above = (np.maximum(margin, 0) * span[..., None] for margin in (said - low, high - said))
    return Reading(scores, start, span, below, above)


def own_and_other(margins: Array) -> tuple[Array, Array]:
    """Margins (..., K) of every score for its own value, and the largest for another."""
    k = margins.shape[-1]
    own = np.diagonal(margins, axis1=-2, axis2=-1)
    return own, np.where(np.eye(k, dtype=bool), 0, margins).max(axis=-1)


def _crossing(reached: Array, at_one: Array, at_zero: Array) -> Array:
    """The smallest s in [0, 1] with ``s + hypot(s * at_one, (1 - s) * at_zero) >= reached``."""
    low, high = np.zeros(np.broadcast(reached, at_one).shape), np.ones(np.broadcast(reached, at_one).shape)
    for _ in range(45):
        middle = (low + high) / 2
        short = middle + np.hypot(middle * at_one, (1 - middle) * at_zero) < reached
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.where(at_zero >= reached, 0, low)
