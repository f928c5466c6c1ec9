"""Train on generated images, test on real ones (Ravuri & Vinyals 2019; Esteban et al. 2017)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairaudit.results import Estimate
from fairaudit.statistics.simultaneous import wilson

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

_ENOUGH = 10
_PRIOR = 2
"""Images added to those of a group with one true value (Agresti & Caffo 2000): a rate of 0 is unsure, too."""
METHOD = "logistic regression on features, bootstrap over test images"


@dataclass(frozen=True)
class Features:
    """Images as a classifier that learns sees them.

    Attributes
    ----------
    rows
        (n, d) finite features.
    labels
        (n,) codes of the attribute that is learnt.
    """

    rows: Array
    labels: Codes


@dataclass(frozen=True)
class Gaps:
    """What a classifier does on test images.

    Attributes
    ----------
    accuracy
        Fraction of right predictions.
    demographic_parity
        How much more often a value is predicted in one group than in another, in [0, 1].
    equalised_odds
        The larger of the differences in true and in false positive rates, in [0, 1].
    """

    accuracy: Estimate
    demographic_parity: Estimate
    equalised_odds: Estimate


def predict(train: Features, rows: ArrayLike) -> Codes:
    """Labels (m,) of images by a logistic regression, standardised on what it learnt from.

    Raises
    ------
    ValueError
        If there is nothing to tell apart.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(train.labels)) < 2:
        raise ValueError("two labels at least are learnt")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
    with warnings.catch_warnings():
        # One that has not converged is a classifier all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(train.rows, train.labels)
    predicted: Codes = model.predict(np.asarray(rows, dtype=np.float64)).astype(np.int64)
    return predicted


def gaps(
    truth: ArrayLike,
    predicted: ArrayLike,
    groups: ArrayLike,
    k: int,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> Gaps:
    """Accuracy and fairlearn's differences between groups, with intervals over test images.

    fairlearn's differences are of a yes or no. For more than two values each is told from all others, and
    the mean is taken over the values of which every group has at least 10. Differences are never negative,
    so chance alone makes them positive. No bootstrap of such a difference reaches 0. But it errs by no more
    than the rates of the groups do among themselves, so that the interval is the value and on both
    sides the quantile of those errors: it covers as often as it says, where groups are alike too.

    Parameters
    ----------
    truth, predicted
        (n,) codes of the true and of the predicted value, from 0 to k - 1.
    groups
        (n,) codes of the sensitive attribute's true value, from 0.
    level
        The intervals cover 1 - level.
    replicates, seed
        Number of draws, and where they start.
    """
    true, said, group = (np.asarray(codes, dtype=np.int64) for codes in (truth, predicted, groups))
    if not true.shape == said.shape == group.shape or true.ndim != 1 or len(true) < 2:
        raise ValueError("every test image has a true and a predicted value and a group")
    shape = (int(group.max()) + 1, k, k)
    counts = np.bincount(np.ravel_multi_index((group, true, said), shape), minlength=np.prod(shape))
    tables = _tables(counts.reshape(shape), replicates, np.random.default_rng(seed))
    accuracy = _accuracy(int((true == said).sum()), len(true), level)
    values = _values(counts.reshape(shape))
    if not values:
        reason = f"no value of which every group of test images has {_ENOUGH}"
        nothing = Estimate(value=None, method=METHOD, reason=reason)
        return Gaps(accuracy, nothing, nothing)
    parity, odds = _of_fairlearn(true, said, group, values)
    return Gaps(
        accuracy,
        _between(parity, np.mean([_parity(tables, value) for value in values], axis=0), level),
        _between(odds, np.mean([_odds(tables, value) for value in values], axis=0), level),
    )


def _accuracy(right: int, n: int, level: float) -> Estimate:
    """Wilson's interval, because a bootstrap of predictions that are all right has no width."""
    low, high = (float(ends[0]) for ends in wilson(np.array([right, n - right], dtype=np.float64), level))
    method = "logistic regression on features, Wilson interval over test images"
    return Estimate(value=right / n, low=low, high=high, method=method)


def _values(counts: NDArray[np.int64]) -> list[int]:
    """The values to compare, from counts (groups, true, predicted); one of two says all."""
    true = counts.sum(axis=2)
    true = true[true.sum(axis=1) > 0]
    rest = true.sum(axis=1, keepdims=True) - true
    enough = ((true >= _ENOUGH) & (rest >= _ENOUGH)).all(axis=0) if len(true) > 1 else np.zeros(0)
    found = np.flatnonzero(enough).tolist()
    return found[:1] if counts.shape[1] == 2 else found


def _of_fairlearn(true: Codes, said: Codes, group: Codes, values: list[int]) -> tuple[float, float]:
    from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

    parity, odds = (
        float(np.mean([metric(true == v, said == v, sensitive_features=group) for v in values]))
        for metric in (demographic_parity_difference, equalized_odds_difference)
    )
    return parity, odds


def _tables(counts: NDArray[np.int64], m: int, rng: np.random.Generator) -> Array:
    """The table (groups, true, predicted) that draws are from, and m of them: (1 + m, ...)."""
    there = counts.sum(axis=2, keepdims=True) > 0
    smooth = counts + there * (_PRIOR / counts.shape[2])
    drawn = rng.multinomial(int(counts.sum()), np.ravel(smooth) / smooth.sum(), size=m)
    return np.concatenate([smooth[None], drawn.reshape(m, *counts.shape)])


def _parity(tables: Array, value: int) -> Array:
    """By how much every draw (m,) of fairlearn's difference may be off."""
    return _errors(tables[..., value].sum(axis=2), tables.sum(axis=(2, 3)))


def _odds(tables: Array, value: int) -> Array:
    said, all_of = tables[..., value], tables.sum(axis=3)
    true = np.arange(all_of.shape[2]) == value
    rates = [_errors(said[..., which].sum(axis=2), all_of[..., which].sum(axis=2)) for which in (true, ~true)]
    return np.maximum(*rates)


def _errors(part: Array, whole: Array) -> Array:
    """Largest error of a group's rate less the smallest (m,); groups that a draw has none of are left out."""
    with np.errstate(invalid="ignore"):
        rates = part / whole
    off = rates[1:] - rates[0]
    return np.asarray(np.fmax.reduce(off, axis=1) - np.fmin.reduce(off, axis=1))


def _between(value: float, errors: Array, level: float) -> Estimate:
    half = float(np.quantile(errors, 1 - level))
    return Estimate(value=value, low=max(value - half, 0.0), high=min(value + half, 1.0), method=METHOD)
