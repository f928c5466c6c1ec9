"""How far shares are from the target: distances, ratios and evenness over *declared* values.

All take shares (..., K) of every declared value, at least 0 and summing to 1; a value that never
occurred is 0, not absent. They return (...) numbers and know nothing of chance: see
`fairaudit.statistics` for intervals. For two values and a uniform target, with d = |share - 1/2|,
FD is sqrt(2) d, total variation and mean absolute deviation are d, and the deviation ratio is 2 d.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Array = NDArray[np.float64]


def fairness_discrepancy(shares: ArrayLike, target: ArrayLike) -> Array:
    """L2 norm of (share - target), over *declared* values (Choi et al., ICML 2020, arXiv 1910.12008).

    Not squared, as some later work has it. For two values it is sqrt(2) * |share - target|.

    Parameters
    ----------
    shares
        (..., K) shares of every declared value; one that never occurred is 0, not absent. Fractions
        of labels give the *hard* discrepancy, mean probabilities the *soft* one.
    target
        (K,) fair shares.

    Returns
    -------
    (...) discrepancies, at least 0; at most sqrt(2), for a target of one value.
    """
    return np.asarray(np.linalg.norm(_difference(shares, target), axis=-1))


def total_variation(shares: ArrayLike, target: ArrayLike) -> Array:
    """Total variation, sum |share - target| / 2: the fraction of images that would have to change.

    Between 0 (fair) and 1 - the least target share.
    """
    return np.asarray(np.abs(_difference(shares, target)).sum(axis=-1) / 2)


def kl_divergence(shares: ArrayLike, target: ArrayLike) -> Array:
    """Kullback & Leibler (1951) divergence, sum share * ln(share / target), in nats.

    The support is the target's: an absent value adds 0, one that has target 0 makes it infinite.
    At least 0 (fair); at most -ln of the least target share. For a uniform target it is
    ln K minus the entropy.
    """
    p, q = _both(shares, target)
    return np.asarray(np.maximum(special.rel_entr(p, q).sum(axis=-1), 0))


def chi_square_distance(shares: ArrayLike, target: ArrayLike) -> Array:
    """Pearson's (1900) distance, sum (share - target)^2 / target: his statistic over n.

    At least 0 (fair); at most 1 / least target share - 1. Infinite if a value of target 0 occurs.
    """
    p, q = _both(shares, target)
    possible = q > 0
    squares = (p - q) ** 2 / np.where(possible, q, 1)
    return np.asarray(np.where(possible, squares, np.where(p > 0, np.inf, 0)).sum(axis=-1))


def max_min_ratio(shares: ArrayLike, target: ArrayLike) -> Array:
    """The best represented value against the least: max(share / target) / min(share / target).

    Representation is relative to the target, so it is the ratio of the largest share to the smallest
    for a uniform one. At least 1 (fair). Infinite if a declared value is empty, or if a value of
    target 0 occurs; otherwise values of target 0 are left out.
    """
    ratios = _representation(shares, target)
    largest, smallest = np.where(np.isnan(ratios), 0, ratios).max(axis=-1), _least(ratios)
    infinite = (smallest <= 0) | np.isinf(largest)
    with np.errstate(over="ignore"):  # a share of 1e-320 is as good as none
        return np.where(infinite, np.inf, largest / np.where(smallest > 0, smallest, 1))


def smallest_representation(shares: ArrayLike, target: ArrayLike) -> Array:
    """The least represented value, min(share / target): between 0 (it is absent) and 1 (fair).

    Values of target 0 are left out.
    """
    return _least(_representation(shares, target))


def normalised_entropy(shares: ArrayLike) -> Array:
    """Shannon entropy over its maximum, -sum share * ln(share) / ln K, K the *declared* values.

    Pielou's (1966) evenness. Between 0 (one value only) and 1 (all alike, as for K = 1). That of a
    fair generator is that of the target.
    """
    p = _shares(shares)
    k = p.shape[-1]
    return _entropy(p) / np.log(k) if k > 1 else np.ones(p.shape[:-1])


def mean_absolute_deviation(shares: ArrayLike, target: ArrayLike) -> Array:
    """Mean |share - target| over the values (DALL-Eval, Cho et al., ICCV 2023, arXiv 2202.04053).

    Between 0 (fair) and 2 (1 - least target share) / K.
    """
    return np.asarray(np.abs(_difference(shares, target)).mean(axis=-1))


def deviation_ratio(shares: ArrayLike, target: ArrayLike) -> Array:
    """Largest |share - target| over the largest there can be (Li et al., CVPR 2024, arXiv 2311.17216).

    They have a uniform target, where the largest is 1 - 1 / K; here it is 1 - the least target share.
    Between 0 (fair) and 1; 0 for K = 1.
    """
    _, q = _both(shares, target)
    scale = 1 - q.min() if q.size > 1 else 1.0
    return np.asarray(np.abs(_difference(shares, target)).max(axis=-1) / scale)


def effective_number(shares: ArrayLike, order: Literal[1, 2] = 1) -> Array:
    """Number of equally common values that would be as diverse (Hill 1973).

    Order 1 is exp(entropy), order 2 is 1 / sum share^2 and counts rare values less. Between 1 (one
    value only) and K (all alike). That of a fair generator is that of the target.
    """
    p = _shares(shares)
    return np.asarray(np.exp(_entropy(p)) if order == 1 else 1 / (p**2).sum(axis=-1))


def _shares(shares: ArrayLike) -> Array:
    p = np.asarray(shares, dtype=np.float64)
    if p.ndim == 0 or p.shape[-1] == 0:
        raise ValueError("shares are a row of at least one value")
    if not np.isfinite(p).all():
        raise ValueError("shares are finite numbers")
    return p


def _both(shares: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    p, q = _shares(shares), np.asarray(target, dtype=np.float64)
    if q.shape != p.shape[-1:]:
        raise ValueError(f"{p.shape[-1]} shares do not belong to a target of shape {q.shape}")
    return p, q


def _difference(shares: ArrayLike, target: ArrayLike) -> Array:
    p, q = _both(shares, target)
    return np.asarray(p - q)


def _entropy(p: Array) -> Array:
    return np.asarray(np.maximum(special.entr(p).sum(axis=-1), 0))


def _representation(shares: ArrayLike, target: ArrayLike) -> Array:
    """Share / target; infinite for a value that occurs against a target of 0, nan if it does not."""
    p, q = _both(shares, target)
    ratios = p / np.where(q > 0, q, 1)
    return np.where(q > 0, ratios, np.where(p > 0, np.inf, np.nan))


def _least(ratios: Array) -> Array:
    return np.asarray(np.where(np.isnan(ratios), np.inf, ratios).min(axis=-1))
