"""Shares by expectation-maximisation: calibrated probabilities, freed from the prior they assume."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fairaudit.statistics.correction import Array
from fairaudit.statistics.shares import FEWEST_LABELS, NO_LABELS, ShareEstimate, check_target
from fairaudit.statistics.simultaneous import Ends, binomial_interval
from fairaudit.statistics.soft import check_probabilities, weighted_means

EM = "expectation-maximisation on probabilities, score interval; calibration error is not in it"
UNSURE = "the probabilities hardly tell some values apart"

DOUBTS = "the classifier expects to err in more than 5 % of the images"

_ROUNDS = 2000
_MOST_EXCESS = 6.0
"""Variance per image beyond which no share is given: 25 times that of a hard label."""


def em_shares(probabilities: ArrayLike, prior: ArrayLike) -> Array:
    """Maximum-likelihood shares (K,) of Saerens, Latinne & Decaestecker (2002, Neural Computation 14:21).

    Repeats ``p(k | x) ~ p_prior(k | x) * share_k / prior_k`` and ``share_k = mean p(k | x)``, from
    the prior, until no share moves by 1e-9 (at most 2000 times).

    Parameters
    ----------
    probabilities
        (n, K) calibrated probabilities, n of at least 1.
    prior
        (K,) class prior that they assume: that of the data on which they were calibrated.

    Raises
    ------
    ValueError
        If probabilities do not sum to 1, there are none, or the prior has a share of 0.
    """
    return _maximise(_ratios(probabilities, prior), check_target(prior, np.size(prior)))


def estimate_em_shares(
    probabilities: ArrayLike,
    prior: ArrayLike,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> ShareEstimate:
    """Shares by `em_shares`, with intervals of the sampling error alone.

    That the probabilities are calibrated, on generated images too, is taken for granted; no
    interval here knows of it. The variance of a share comes from the information of the
    mixture likelihood; what it exceeds that of hard labels by, because the classifier is unsure,
    is added to the score interval of hard labels. `draws` are one Newton step from the estimate
    under Bayesian bootstrap weights (Rubin 1981), with one more image spread over all values.

    Parameters
    ----------
    probabilities, prior
        See `em_shares`.
    level
        The interval covers 1 - level.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Returns
    -------
    ShareEstimate
        Without a value, and with a reason, for no image, or if the probabilities do not tell the
        values apart; without a claim for fewer than 30 images, or if by its own account the classifier
        errs in more than 5 % of them.

    Raises
    ------
    ValueError
        If probabilities do not sum to 1, or the prior has a share of 0.
    """
    rows = check_probabilities(probabilities)
    n, k = rows.shape
    if n == 0:
        return ShareEstimate(EM, NO_LABELS)
    raw = np.bincount(rows.argmax(axis=1), minlength=k) / n
    ratios = _ratios(rows, prior)
    value = _maximise(ratios, check_target(prior, k))
    inside = (n * value + 1 / k) / (n + 1)
    scores = np.vstack([ratios / (ratios @ inside)[:, None], np.diag(1 / inside)])
    sizes = np.concatenate([np.ones(n), np.full(k, 1 / k)])
    covariance = _covariance(scores, sizes)
    excess = _excess(ratios, (n * value + 4 / k) / (n + 4))
    if (excess > _MOST_EXCESS).any():
        return ShareEstimate(EM, UNSURE, raw)

    def ends(error: float) -> Ends:
        low, high = binomial_interval(n * value, error, excess=excess)
        low, high = np.clip(low, 0, value), np.clip(high, value, 1)
        # Less than half an image is none: the maximum lies at the border, which is reached slowly.
        return np.where(n * value < 0.5, 0, low), np.where(n * (1 - value) < 0.5, 1, high)

    low, high = ends(level)
    return ShareEstimate(
        EM,
        raw=raw,
        value=value,
        low=low,
        high=high,
        centre=value,
        draws=inside + weighted_means(scores, replicates, seed, sizes) @ covariance,
        simultaneous=ends(level / k if k > 2 else level),
        claim=_doubt(rows),
    )


def _doubt(rows: Array) -> str | None:
    if len(rows) < FEWEST_LABELS:
        return f"fewer than {FEWEST_LABELS} labels"
    return DOUBTS if (1 - rows.max(axis=1)).mean() > 0.05 else None


def _ratios(probabilities: ArrayLike, prior: ArrayLike) -> Array:
    rows = check_probabilities(probabilities)
    assumed = check_target(prior, rows.shape[1])
    if (assumed == 0).any():
        raise ValueError("the prior of calibrated probabilities gives every value a share above 0")
    if not len(rows):
        raise ValueError("no image has probabilities")
    return rows / assumed


def _maximise(ratios: Array, start: Array) -> Array:
    shares = start
    for _ in range(_ROUNDS):
        joint = ratios * shares
        moved = (joint / joint.sum(axis=1, keepdims=True)).mean(axis=0)
        if np.abs(moved - shares).max() < 1e-9:
            break
        shares = moved
    return np.asarray(moved, dtype=np.float64)


def _excess(ratios: Array, shares: Array) -> Array:
    """Variance per image beyond that of hard labels, at shares a little inside the border."""
    n, k = ratios.shape
    scores = np.vstack([ratios / (ratios @ shares)[:, None], np.diag(1 / shares)])
    variance = np.diag(_covariance(scores, np.concatenate([np.ones(n), np.full(k, 4 / k)])))
    return np.asarray(np.maximum(variance - shares * (1 - shares), 0), dtype=np.float64)


def _covariance(scores: Array, sizes: Array) -> Array:
    """Covariance (K, K) per image of shares that add up to 1, the inverse of their information."""
    k = scores.shape[1]
    basis = np.linalg.svd(np.ones((1, k)))[2][1:].T
    information = basis.T @ (scores.T * (sizes / sizes.sum())) @ scores @ basis
    return np.asarray(basis @ np.linalg.inv(information) @ basis.T, dtype=np.float64)
