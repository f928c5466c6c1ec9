"""Audits that may stop at any look: evidence against a target, and intervals that hold at all looks."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from fairaudit.results import Verdict
from fairaudit.statistics.betting import mean_bounds
from fairaudit.statistics.boxes import discrepancy_bounds, nearest
from fairaudit.statistics.correction import (
    Array,
    SingularConfusionError,
    check_separation,
    correct_shares,
    prediction_rates,
)
from fairaudit.statistics.discrepancy import furthest
from fairaudit.statistics.margins import calibrated, family, null_box, plain
from fairaudit.statistics.shares import check_calibration, check_counts, check_target

METHOD = "confidence sequence, valid at every look"

CALIBRATION = 0.2
"""Part of the level that is spent on the calibration's errors; the rest is for the labels'."""

_CONCENTRATION = 10.0
"""Weight of the Dirichlet around the target from which alternatives are drawn, in images."""


def log_bayes_factor(counts: ArrayLike, null: ArrayLike, alpha: ArrayLike) -> Array:
    """Evidence of label counts against a null, mixed over alternatives (Lindon & Malek, NeurIPS 2022).

    ``log Gamma(A) - sum log Gamma(alpha_i) + sum log Gamma(alpha_i + n_i) - log Gamma(A + n) - sum n_i log
    null_i`` with A the sum of alpha. Under the null its exponential is a martingale that starts at 1,
    so it ever reaches 1 / level with probability at most level, however often one looks.

    Parameters
    ----------
    counts
        (..., K) labels so far.
    null
        (..., K) label shares that are doubted; a value of share 0 that occurs gives infinite evidence.
    alpha
        (..., K) parameters above 0 of the Dirichlet distribution of the alternatives.

    Returns
    -------
    (...)

    Examples
    --------
    >>> float(log_bayes_factor([166, 84], [0.5, 0.5], [1, 1]).round(4))
    11.1055
    """
    n, shares, prior = (np.asarray(x, dtype=np.float64) for x in (counts, null, alpha))
    if not all(np.isfinite(x).all() and (x >= 0).all() for x in (n, shares, prior)) or (prior == 0).any():
        raise ValueError("counts and null shares are finite and at least 0, and the prior is above 0")
    mixture = special.gammaln(prior + n) - special.gammaln(prior)
    total = special.gammaln(prior.sum(axis=-1) + n.sum(axis=-1)) - special.gammaln(prior.sum(axis=-1))
    return np.asarray((mixture - special.xlogy(n, shares)).sum(axis=-1) - total)


def log_evidence(counts: Array, low: Array, high: Array, target: Array) -> Array:
    """Evidence (...) of label counts (..., K) against *every* label distribution in a box.

    Half of it is the Bayes factor of the whole vector, half the mean of those of each value against the
    rest, which find one value out of many sooner. Each is taken at its least over the box, so the
    mean is a test martingale's lower bound whichever distribution in the box is the true one.

    Parameters
    ----------
    counts
        (..., K) labels so far.
    low, high
        (..., K) ends of the box of label shares; equal where nothing is unknown.
    target
        (K,) centre of the alternatives.
    """
    prior = _CONCENTRATION * np.maximum(target, 1e-3)
    whole = log_bayes_factor(counts, nearest(counts, low, high), prior)
    n = counts.sum(axis=-1, keepdims=True)
    share = np.clip(counts / np.maximum(n, 1), low, high)
    cells = np.stack([counts, n - counts], axis=-1), np.stack([share, 1 - share], axis=-1)
    each = log_bayes_factor(*cells, np.stack([prior, prior.sum() - prior], axis=-1))
    single = np.logaddexp.reduce(each, axis=-1) - np.log(len(target))
    return np.asarray(np.logaddexp(whole, single) - np.log(2))


class ConfidenceSequence:
    """What label counts say about the true shares, valid at every look and so at any stop.

    Three claims, each of which fails at *any* look with probability at most `level`: that the target
    is excluded although the generator is on target; that `discrepancy` holds the true one; and, for
    each value, that `low` and `high` hold its share.

    With a calibration a fifth of the level pays for its errors and the rest for the labels'. The
    labels' part is a theorem; the calibration's is as good as the margins that
    `fairaudit.statistics.margins` computes. Simulated with 2,000 fair streams of 2,000 images, a look
    after every 16 and a calibration of its own for each, over K 2, 4, 7, accuracy .75 to .99,
    calibration on 100 to 2500 a value: the target is excluded in at most 1.5 % of streams and an
    interval misses in at most 1.2 %, both in at most 2.2 % without calibration. They are the more
    cautious the more of the error is the calibration's, down to 0 %, because the two parts add up.

    Parameters
    ----------
    target
        (K,) fair shares, K at least 2.
    confusion
        (K, K) calibration counts, rows true values, or None to take labels as they are.
    level
        Chance of each claim to fail.

    Raises
    ------
    ValueError
        If the target has one value only, or does not belong to the matrix.
    """

    def __init__(self, target: ArrayLike, confusion: ArrayLike | None = None, *, level: float = 0.05) -> None:
        self.target = check_target(target, np.size(target))
        k = len(self.target)
        if k < 2:
            raise ValueError("shares of one value are always 1: there is nothing to look for")
        self.reason: str | None = None
        """Why nothing can ever be decided, if so."""
        self.counts: Array = np.zeros(k)
        """Labels at the last look."""
        self._threshold, self._refuted = np.log(1 / level), False
        self._null = self.target, self.target
        matrix = None if confusion is None else np.asarray(confusion, dtype=np.float64)
        if matrix is not None:
            if matrix.shape != (k, k):
                raise ValueError(f"a target of {k} values does not belong to a {matrix.shape} calibration")
            try:
                check_separation(prediction_rates(matrix))
                check_calibration(matrix, level, 2000, 0)
                self._null = null_box(self.target, matrix, CALIBRATION * level)
                self._threshold = np.log(1 / ((1 - CALIBRATION) * level))
            except SingularConfusionError as error:
                self.reason, matrix = str(error), None
        self._confusion = matrix
        self._each = _Intervals(k, matrix, level)
        self._all = _Intervals(k, matrix, level / family(k)) if family(k) > 1 else self._each

    def update(self, counts: ArrayLike) -> None:
        """Look at all labels so far, counts (K,) of every declared value.

        Raises
        ------
        ValueError
            If they are no counts, or fewer than at the last look.
        """
        labels = check_counts(counts)
        if labels.shape != self.target.shape or (labels < self.counts).any():
            raise ValueError(f"{labels} are not the counts of {self.counts} and more labels")
        self.counts = labels
        if self.reason is None:
            evidence = float(log_evidence(labels, *self._null, self.target))
            self._refuted = self._refuted or evidence >= self._threshold
            for intervals in {self._each, self._all}:
                intervals.update(labels)

    @property
    def value(self) -> Array | None:
        """(K,) shares as `estimate_shares` has them; None without labels, or where `reason` says why."""
        if self.reason is not None or not self.counts.any():
            return None
        raw = self.counts / self.counts.sum()
        return raw if self._confusion is None else correct_shares(raw, self._confusion)

    @property
    def low(self) -> Array:
        """(K,) lower ends of the true shares, the highest of all looks."""
        return self._each.shares()[0]

    @property
    def high(self) -> Array:
        """(K,) upper ends of the true shares, the lowest of all looks."""
        return self._each.shares()[1]

    def discrepancy(self) -> tuple[float, float]:
        """Bounds of the fairness discrepancy, from intervals that hold for all values at once."""
        low, high = discrepancy_bounds(*self._all.shares(), self.target)
        return float(low), min(float(high), furthest(self.target))

    def verdict(self, tolerance: float) -> Verdict:
        """Fair once no discrepancy beyond `tolerance` is left, else unfair once the target is excluded."""
        if self.reason is None and self.discrepancy()[1] <= tolerance:
            return "fair"
        return "unfair" if self._refuted else "not enough evidence"


class _Intervals:
    """Running intersection of the bounds of K mean scores, and the shares that they leave."""

    def __init__(self, k: int, confusion: Array | None, level: float) -> None:
        self._reading = plain(k) if confusion is None else calibrated(confusion, CALIBRATION * level)
        self._level = level if confusion is None else (1 - CALIBRATION) * level
        self._low, self._high = np.zeros(k), np.ones(k)

    def update(self, counts: Array) -> None:
        low, high = mean_bounds(counts, self._reading.scores, self._level)
        self._low = np.maximum(self._low, low)
        # Where intervals of two looks are disjoint, one of them failed; the later one yields.
        self._high = np.maximum(np.minimum(self._high, high), self._low)

    def shares(self) -> tuple[Array, Array]:
        return self._reading.share_bounds(self._low, self._high)
