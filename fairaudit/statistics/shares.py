"""Shares of the values of an attribute, with intervals that carry sampling and classifier error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fairaudit.statistics.correction import (
    Array,
    SingularConfusionError,
    correct_shares,
    invert_shares,
    prediction_rates,
)
from fairaudit.statistics.simultaneous import (
    binomial_interval,
    corrected_intervals,
    goodman,
    wilson,
)

__all__ = [
    "ShareEstimate",
    "check_calibration",
    "check_counts",
    "check_target",
    "draw_shares",
    "estimate_shares",
    "wilson",
]

RAW = "Wilson score, rare values Clopper-Pearson"
CORRECTED = "classifier-corrected, Dirichlet draws of labels and calibration"
NO_LABELS = "no labelled image"

FEWEST_LABELS = 30
FEWEST_FACES = 50
"""Of every value: with 14 of 7 values, intervals cover 88 to 100 % of the time, mostly too often."""
RARE = 4
"""Labels of a value below which its interval covers 98 % and more where 95 % are asked for."""
CONDITION = 0.2
"""Smallest singular value of P(predicted | true) in what was simulated, with room for its error."""


@dataclass(frozen=True)
class ShareEstimate:
    """Estimated shares; `value`, `low` and `high` are None exactly where `reason` says why.

    Attributes
    ----------
    raw
        (K,) shares among the labels; None without labels.
    value, low, high
        (K,) estimate and interval, in [0, 1].
    simultaneous
        Ends (K,) and (K,) of intervals that hold for all values at once.
    claim
        Why the coverage of the intervals is *not* claimed; None where it is.
    centre, draws
        (K,) estimate and (m, K) draws of where the truth may be, *not* clipped to [0, 1], which is
        what keeps intervals of anything that is computed from them honest at the border.
    method
        Name of the estimator and of its interval.
    """

    method: str
    reason: str | None = None
    raw: Array | None = None
    value: Array | None = None
    low: Array | None = None
    high: Array | None = None
    centre: Array | None = None
    draws: Array | None = None
    simultaneous: tuple[Array, Array] | None = None
    claim: str | None = None


def estimate_shares(
    counts: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> ShareEstimate:
    """Share of every value among the images, corrected if the classifier's errors are known.

    Without a confusion matrix: Wilson (1927), widened for rare values (`binomial_interval`), and for all
    values at once Goodman (1965). These cover the share among the *labels* that this classifier
    would give; its errors are not in them.

    With one: constrained least squares (`correct_shares`); its intervals are percentiles of the
    *unclipped* solution for Dirichlet draws of both the label counts and the calibration
    counts (`corrected_intervals`), moved to the border if that solution lies outside [0, 1],
    intersected with [0, 1], and stretched to the estimate.

    Coverage of nominal 95 % intervals, simulated by ``benchmarks/coverage.py`` for K 2, 4, 7, n 30 to
    2000, accuracy .75 to .99, 50 to 5000 calibration faces a value: where 4 or more images of a
    value are expected 95 to 96 % on average, and in no setting below 93 % by more than chance (up to
    98 % and more where only 50 faces of a value calibrated); for all values at once 96 to 97 % on
    average. Over 98 % is usual for rarer values, and for shares of exactly 0 or 1, which an
    interval with an end at the border can miss on one side only. Fewer labels or faces, or
    values that are hardly told apart, are not claimed (`ShareEstimate.claim`).

    Parameters
    ----------
    counts
        (K,) labels of every declared value.
    confusion
        (K, K) calibration *counts*, rows true values, columns predicted; or None.
    level
        The interval covers 1 - level.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Returns
    -------
    ShareEstimate
        Without a value, and with a reason, if there is no label or the classifier cannot tell the
        values apart: either its confusion matrix is near singular, or so few faces calibrated it
        that the sign of the determinant (for K = 2, of accuracy above chance) is not certain.

    Raises
    ------
    ValueError
        If counts are negative, of a single value, or do not belong to the matrix.
    """
    labels = check_counts(counts)
    if len(labels) < 2:
        raise ValueError("counts of one value have no shares to estimate")
    if labels.sum() == 0:
        return ShareEstimate(RAW if confusion is None else CORRECTED, NO_LABELS)
    if confusion is None:
        return _raw_shares(labels, level, replicates, seed)
    return _corrected_shares(labels, np.asarray(confusion, dtype=np.float64), level, replicates, seed)


def _raw_shares(labels: Array, level: float, replicates: int, seed: int) -> ShareEstimate:
    """Shares (K,) among labels, of which there are some."""
    raw = labels / labels.sum()
    low, high = binomial_interval(labels, level)
    return ShareEstimate(
        RAW,
        raw=raw,
        value=raw,
        low=low,
        high=high,
        centre=raw,
        draws=draw_shares(labels, replicates, np.random.default_rng(seed)),
        simultaneous=goodman(labels, level),
        claim=doubt(labels),
    )


def _corrected_shares(
    labels: Array, confusion: Array, level: float, replicates: int, seed: int
) -> ShareEstimate:
    """Shares (K,) behind labels, of which there are some, by a classifier of known errors."""
    raw = labels / labels.sum()
    try:
        value = correct_shares(raw, confusion)
        check_calibration(confusion, level, replicates, seed)
    except SingularConfusionError as error:
        return ShareEstimate(CORRECTED, str(error), raw)
    centre = invert_shares(raw, prediction_rates(confusion))
    each, joint = corrected_intervals(labels, confusion, level=level, replicates=replicates, seed=seed)
    low, high = _fitted(each, centre, value)
    rng = np.random.default_rng(seed)
    return ShareEstimate(
        CORRECTED,
        raw=raw,
        value=value,
        low=low,
        high=high,
        centre=centre,
        draws=invert_shares(draw_shares(labels, replicates, rng), draw_shares(confusion, replicates, rng)),
        simultaneous=_fitted(joint, centre, value),
        claim=doubt(labels, confusion),
    )


def doubt(labels: Array, confusion: Array | None = None) -> str | None:
    """Why the coverage of an interval from these counts is not claimed; None where it is."""
    if labels.sum() < FEWEST_LABELS:
        return f"fewer than {FEWEST_LABELS} labels"
    if confusion is None:
        return _rare(labels)
    if confusion.sum(axis=1).min() < FEWEST_FACES:
        return f"fewer than {FEWEST_FACES} calibration faces of a value"
    if np.linalg.svd(prediction_rates(confusion), compute_uv=False).min() < CONDITION:
        return "the classifier hardly tells some values apart"
    return _rare(labels)


def _rare(labels: Array) -> str | None:
    if labels.min() >= RARE:
        return None
    return f"a value has fewer than {RARE} labels: its interval is wide, and holds more often than it claims"


def _fitted(ends: tuple[Array, Array], centre: Array, value: Array) -> tuple[Array, Array]:
    """Ends in [0, 1] around the value.

    Errors may drive the solution out of [0, 1]; moved back whole, the interval keeps its length.
    """
    low, high = (np.clip(end + np.clip(centre, 0, 1) - centre, 0, 1) for end in ends)
    return np.minimum(low, value), np.maximum(high, value)


def draw_shares(counts: Array, m: int, rng: np.random.Generator, prior: Array | None = None) -> Array:
    """(m, ..., K) Dirichlet draws given counts (..., K); the prior weighs as much as one observation."""
    weights = np.full(counts.shape[-1], 1 / counts.shape[-1]) if prior is None else prior
    gammas: Array = rng.standard_gamma(counts + weights, size=(m, *counts.shape))
    gammas += np.finfo(np.float64).tiny  # tiny weights underflow to 0; a row of zeros has no shares
    gammas /= gammas.sum(axis=-1, keepdims=True)
    return gammas


def check_counts(counts: ArrayLike) -> Array:
    """Counts (K,) as float64, or `ValueError`."""
    labels = np.asarray(counts, dtype=np.float64)
    if labels.ndim != 1 or not np.isfinite(labels).all() or (labels < 0).any():
        raise ValueError("label counts are one row of finite numbers of at least 0")
    return labels


def check_target(target: ArrayLike, k: int) -> Array:
    """Fair shares (k,) that sum to 1 to the last bit, or `ValueError`."""
    goal = np.asarray(target, dtype=np.float64)
    if goal.shape != (k,) or not np.isfinite(goal).all() or (goal < 0).any() or not goal.any():
        raise ValueError(f"a target for {k} values is {k} shares of at least 0, not {goal.tolist()}")
    return np.asarray(goal / goal.sum(), dtype=np.float64)


def check_targets(target: ArrayLike, prompts: int, k: int) -> Array:
    """Fair shares (prompts, k) of a target for all prompts, or of one for each; or `ValueError`."""
    goals = np.asarray(target, dtype=np.float64)
    if goals.ndim == 1:
        return np.tile(check_target(goals, k), (prompts, 1))
    if goals.shape != (prompts, k):
        raise ValueError(f"targets of shape {goals.shape} for {prompts} prompts and {k} values")
    return np.array([check_target(row, k) for row in goals]).reshape(prompts, k)


def check_belonging(shares: ShareEstimate, target: ArrayLike) -> Array:
    """A target's shares (K,) if it is for as many values as were estimated, or `ValueError`."""
    goal = check_target(target, np.size(target))
    if shares.centre is not None and len(shares.centre) != len(goal):
        raise ValueError(f"shares of {len(shares.centre)} values do not belong to a target for {len(goal)}")
    return goal


def check_calibration(confusion: Array, level: float, replicates: int, seed: int) -> None:
    """Raise `SingularConfusionError` if the calibration cannot exclude that the matrix is singular."""
    drawn = draw_shares(confusion, replicates, np.random.default_rng(seed))
    sign = np.sign(np.linalg.det(prediction_rates(confusion)))
    if (np.sign(np.linalg.det(drawn)) != sign).mean() > level:
        raise SingularConfusionError("too few calibration faces: the classifier may be guessing")
