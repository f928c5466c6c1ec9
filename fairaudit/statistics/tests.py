"""Is the generator on target? Tests of the shares, and their adjustment for being many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from fairaudit.statistics.correction import Array, SingularConfusionError, check_confusion, prediction_rates
from fairaudit.statistics.shares import NO_LABELS, check_counts, check_target, draw_shares

BINOMIAL = "exact binomial"
CHI_SQUARE = "chi-square"
MULTINOMIAL = "Monte Carlo multinomial"
CONFUSED = "Monte Carlo through the classifier's errors"

_FEW = 5
"""Expected counts from which on chi-square is trusted (Cochran 1954)."""


def goodness_of_fit(
    counts: ArrayLike,
    target: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    replicates: int = 2000,
    seed: int = 0,
) -> tuple[float | None, str]:
    """Test that the images' values follow the target.

    Without calibration: exact binomial for two values, chi-square where 5 or more of every value
    are expected, Monte Carlo multinomial otherwise. With calibration the null is the target as
    this classifier would report it; what the calibration leaves unknown about the classifier
    (a Dirichlet draw of its errors per replicate) is part of the null, so a poorly calibrated
    classifier does not make a fair generator significant. Type I error at 5 %, simulated for K 2, 4, 7,
    n 30 to 400, accuracy .75 to .99, calibration on 100 to 2500 a value: 3.5 to 5.5 %, for
    K = 7 and n = 400 up to 6 %.

    A Monte Carlo p-value cannot fall below 1 / (replicates + 1), which no adjustment for many tests
    survives; beyond the tenth largest replicate a chi-square tail is joined to it.

    Parameters
    ----------
    counts
        (K,) labels of every declared value.
    target
        (K,) fair shares; a value of share 0 that occurs is refuted with p = 0 if nothing is confused.
    confusion
        (K, K) calibration counts, or None.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Returns
    -------
    p-value and the test's name. Without labels, or without a usable calibration, None and the reason.

    Raises
    ------
    ValueError
        If counts are negative or do not belong to the matrix.
    """
    labels = check_counts(counts)
    goal = check_target(target, len(labels))
    if labels.sum() == 0:
        return None, NO_LABELS
    if confusion is None:
        return _plain(labels, goal, replicates, seed)
    try:
        return _confused(labels, goal, check_confusion(confusion, len(goal)), replicates, seed), CONFUSED
    except SingularConfusionError as error:
        return None, str(error)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values that hold over the whole family (Holm 1979); None stays None.

    Examples
    --------
    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    adjusted: list[float | None] = [None] * len(p_values)
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    largest = 0.0
    for rank, (p, i) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[i] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values that bound the false discovery rate (Benjamini & Hochberg 1995); None stays None.

    Of those below a level, at most that fraction is false on average, if the tests are independent or
    depend positively on each other.

    Examples
    --------
    >>> benjamini_hochberg([0.01, None, 0.04, 0.03])
    [0.03, None, 0.04, 0.04]
    """
    adjusted: list[float | None] = [None] * len(p_values)
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    least = 1.0
    for rank, (p, i) in reversed(list(enumerate(known, start=1))):
        least = min(least, p * (len(known) / rank))
        adjusted[i] = least
    return adjusted


def _plain(labels: Array, goal: Array, replicates: int, seed: int) -> tuple[float, str]:
    n = int(labels.sum())
    if len(labels) == 2:
        return float(stats.binomtest(int(labels[0]), n, goal[0]).pvalue), BINOMIAL
    possible = goal > 0
    expected = n * goal[possible]
    few = expected.min() < _FEW
    if labels[~possible].any():
        return 0.0, MULTINOMIAL if few else CHI_SQUARE
    statistic, df = _pearson(labels[possible], expected), len(expected) - 1
    if not few or df == 0:
        return float(stats.chi2.sf(statistic, df)) if df else 1.0, CHI_SQUARE
    drawn = np.random.default_rng(seed).multinomial(n, goal[possible], size=replicates)
    return _tail(statistic, _pearson(drawn, expected), df), MULTINOMIAL


def _pearson(counts: ArrayLike, expected: Array) -> Array:
    return np.asarray(((np.asarray(counts) - expected) ** 2 / expected).sum(axis=-1))


def _confused(labels: Array, goal: Array, confusion: Array, replicates: int, seed: int) -> float:
    n, rng = labels.sum(), np.random.default_rng(seed)
    null = goal @ prediction_rates(confusion)
    rates = goal @ draw_shares(confusion, replicates, rng)
    drawn = rng.multinomial(int(n), rates) / n
    # Mahalanobis distance: sampling error and calibration error, each in its own directions.
    # The last value follows from the others, so it is left out of the covariance.
    covariance = np.atleast_2d(np.cov(drawn[:, :-1], rowvar=False))
    inverse = np.linalg.pinv(covariance, hermitian=True)
    observed, simulated = (
        np.einsum("...i,ij,...j", d, inverse, d) for d in ((labels / n - null)[:-1], (drawn - null)[:, :-1])
    )
    return _tail(observed, simulated, len(labels) - 1)


def _tail(statistic: Array, simulated: Array, df: int) -> float:
    """P(simulated >= statistic); past the tenth largest replicate along a chi-square tail."""
    exceeding = int((simulated >= statistic * (1 - 1e-9)).sum())
    if exceeding >= 10:
        return (exceeding + 1) / (len(simulated) + 1)
    tenth = np.sort(simulated)[-10]
    # Stretched to meet the simulation where they join, and never to fall faster than chi-square.
    share = 11 / (len(simulated) + 1)
    stretch = min(1.0, float(stats.chi2.isf(share, df)) / float(tenth)) if tenth > 0 else 1.0
    return min(share, float(stats.chi2.sf(statistic * stretch, df)))
