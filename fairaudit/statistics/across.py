"""Prompts as a sample of what could be asked: mean share, and how much it differs between prompts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from fairaudit.results import Estimate, Spread
from fairaudit.statistics.correction import Array, prediction_rates
from fairaudit.statistics.inversion import nearest_shares
from fairaudit.statistics.shares import draw_shares, estimate_shares

MEAN = "mean over prompts; t interval from a bootstrap of prompts and Dirichlet draws of the calibration"
SPREAD = "between-prompt standard deviation, method of moments; chi-square interval"
FEWEST_FOR_MEAN = 4
FEWEST_CLAIMED = 16
"""Shares of prompts are often skewed: of fewer, intervals cover 80 to 90 % then."""
FEWEST_FOR_SPREAD = 8
UNCLAIMED = f"{MEAN}; coverage is not claimed below {FEWEST_CLAIMED} prompts"
_LARGEST = 0.5
"""Standard deviation of shares that are half of them 0 and half 1."""


def across_prompts(
    counts: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> list[Spread]:
    """Mean and spread of the prompts' shares, for every value.

    Every prompt counts alike, whatever its number of images. The interval of the mean resamples
    prompts, which carry their sampling noise along, and draws the calibration once a replicate for
    all of them; its length is that of a t interval with P - 1 degrees of freedom, and never less than
    that of these prompts' images pooled. The spread is the variance of the prompts' shares less their
    mean sampling variance, at least 0; its interval takes the observed variance as chi-square, with
    fewer degrees of freedom where the shares have heavy tails (Shoemaker 2003, Am. Stat. 57:160).

    Simulated for 4 to 100 prompts of 16 and 64 images, without and with a calibration (accuracy .85
    and .9), shares that do not differ, or follow Beta(5, 5), Beta(2, 8) or a U-shaped Beta(.4, .4):
    the 95 % interval of the mean covers 89 to 100 %, that of the spread (8 prompts and more) 88 to 100 %.
    Where most prompts have a share near 0 and a few a large one, Beta(.5, 3), the mean's covers 80 to
    90 % below 16 prompts and 90 to 95 % from there on, the spread's 75 to 95 %: a sample without one
    of the few cannot know of them.

    Parameters
    ----------
    counts
        (P, K) labels of every declared value for each prompt. Prompts without a label are left out.
    confusion
        (K, K) calibration counts, or None.
    level
        The intervals cover 1 - level.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Returns
    -------
    One record for each value, in order. Intervals of the mean take 4 prompts, those of the spread 8
    with two labels or more; with fewer there is a value with the reason why it has none. A spread
    takes two such prompts to have a value.
    """
    labels = _table(counts)
    k, rng = labels.shape[1], np.random.default_rng(seed)
    pooled = estimate_shares(labels.sum(axis=0), confusion, level=level, replicates=replicates, seed=seed)
    if pooled.value is None or pooled.low is None or pooled.high is None:
        mean, spread = (Estimate(value=None, method=m, reason=pooled.reason) for m in (MEAN, SPREAD))
        return [Spread(mean=mean, spread=spread)] * k
    exact = np.eye(k)
    unmixing = _Unmixing(exact, np.broadcast_to(exact, (replicates, k, k)))
    if confusion is not None:
        matrix = np.asarray(confusion, dtype=np.float64)
        unmixing = _Unmixing(
            _inverse(prediction_rates(matrix)), _inverse(draw_shares(matrix, replicates, rng))
        )
    reach = pooled.value - pooled.low, pooled.high - pooled.value
    means = _means(labels, unmixing, reach, level, rng)
    spreads = _spreads(labels[labels.sum(axis=1) > 1], unmixing, level, rng)
    return [Spread(mean=mean, spread=spread) for mean, spread in zip(means, spreads, strict=True)]


@dataclass(frozen=True)
class _Unmixing:
    """Matrices (K, K) that turn reported shares into true ones: as estimated, and drawn (m, K, K)."""

    estimated: Array
    drawn: Array


def _inverse(rates: Array) -> Array:
    return np.asarray(np.linalg.inv(rates), dtype=np.float64)


def _table(counts: ArrayLike) -> Array:
    labels = np.asarray(counts, dtype=np.float64)
    if labels.ndim != 2 or not np.isfinite(labels).all() or (labels < 0).any():
        raise ValueError("label counts of prompts are rows of finite numbers of at least 0")
    return np.asarray(labels[labels.sum(axis=1) > 0])


def _means(
    labels: Array, unmixing: _Unmixing, reach: tuple[Array, Array], level: float, rng: np.random.Generator
) -> list[Estimate]:
    raw = labels / labels.sum(axis=1, keepdims=True)
    prompts = len(raw)
    values = nearest_shares(raw.mean(axis=0) @ unmixing.estimated)
    if prompts < FEWEST_FOR_MEAN:
        reason = f"fewer than {FEWEST_FOR_MEAN} prompts have no interval over prompts"
        return [Estimate(value=float(v), method=MEAN, reason=reason) for v in values]
    weights = rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=len(unmixing.drawn)) / prompts
    means = ((weights @ raw)[:, None] @ unmixing.drawn)[:, 0]
    quantile = special.stdtrit(prompts - 1, 1 - level / 2) * np.sqrt(prompts / (prompts - 1))
    half = quantile * means.std(axis=0)
    method = MEAN if prompts >= FEWEST_CLAIMED else UNCLAIMED
    low, high = values - np.maximum(half, reach[0]), values + np.maximum(half, reach[1])
    return _records(values, low, high, method, 1)


def _spreads(labels: Array, unmixing: _Unmixing, level: float, rng: np.random.Generator) -> list[Estimate]:
    prompts, k = labels.shape
    if prompts < 2:
        reason = "fewer than two prompts have two labels"
        return [Estimate(value=None, method=SPREAD, reason=reason)] * k
    sizes = labels.sum(axis=1, keepdims=True)
    raw = labels / sizes
    weighted = raw / (sizes - 1) / prompts
    noise = np.diag(weighted.sum(axis=0)) - raw.T @ weighted
    observed = np.atleast_2d(np.cov(raw, rowvar=False))
    squares = _quadratic(unmixing.estimated, observed) - _quadratic(unmixing.estimated, noise)
    values = np.minimum(np.sqrt(np.maximum(squares, 0)), _LARGEST)
    if prompts < FEWEST_FOR_SPREAD:
        reason = f"fewer than {FEWEST_FOR_SPREAD} prompts of two labels have no interval of their spread"
        return [Estimate(value=float(v), method=SPREAD, reason=reason) for v in values]
    degrees = _degrees(raw @ unmixing.estimated)
    scale = degrees / rng.chisquare(degrees, size=(len(unmixing.drawn), k))
    squares = scale * _quadratic(unmixing.drawn, observed) - _quadratic(unmixing.drawn, noise)
    low, high = np.sqrt(np.maximum(np.quantile(squares, [level / 2, 1 - level / 2], axis=0), 0))
    return _records(values, low, high, SPREAD, _LARGEST)


def _records(values: Array, low: Array, high: Array, method: str, largest: float) -> list[Estimate]:
    ends = np.clip(np.minimum(low, values), 0, largest), np.clip(np.maximum(high, values), 0, largest)
    return [
        Estimate(value=float(v), low=float(a), high=float(b), method=method)
        for v, a, b in zip(values, *ends, strict=True)
    ]


def _quadratic(inverses: Array, covariance: Array) -> Array:
    """Variances (..., K) of corrected shares, from the covariance (K, K) of reported ones."""
    return np.asarray(np.einsum("...ik,ij,...jk->...k", inverses, covariance, inverses))


def _degrees(shares: Array) -> Array:
    """Degrees of freedom (K,) of the variances of shares (P, K), at most P - 1."""
    prompts = len(shares)
    squares = (shares - shares.mean(axis=0)) ** 2
    variance = squares.mean(axis=0)
    kurtosis = (squares**2).mean(axis=0) / np.where(variance > 0, variance, 1) ** 2
    excess = np.maximum(kurtosis - (prompts - 3) / (prompts - 1), 2 * prompts / (prompts - 1) ** 2)
    return np.asarray(np.clip(2 * prompts / excess, 1, prompts - 1))
