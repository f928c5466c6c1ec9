"""How many different images there are among some: the Vendi score (Friedman & Dieng 2023, TMLR)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from fairaudit.results import Estimate

Array = NDArray[np.float64]

FEWEST = 10
MOST = 256
"""Images whose kernel is decomposed; more would take long and change little."""
_FEWEST_CLUSTERS = 5
_GROUPS = 20


def vendi_score(features: ArrayLike) -> float:
    """Effective number of different images: exp of the entropy of the kernel's eigenvalues.

    The kernel is the cosine of the features, so one direction again and again has the score 1, and n
    orthogonal ones have n. It cannot exceed the number of features.

    Parameters
    ----------
    features
        (n, d) features, none of them zero, at least one row.

    Returns
    -------
    In [1, min(n, d)].
    """
    rows = np.asarray(features, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ValueError("features are (n, d), at least one row")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ValueError("features are finite, and no row is zero")
    rows = rows / lengths / np.sqrt(len(rows))
    # Both products have the same eigenvalues but for zeros.
    kernel = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    values = np.linalg.eigvalsh(kernel)
    return float(np.exp(special.entr(np.clip(values, 0, 1)).sum()))


def drawn(n: int, m: int, seed: int) -> NDArray[np.int64]:
    """Numbers (m,) of the images that a score of m out of n is computed from; equal seeds draw the same."""
    return np.random.default_rng(seed).permutation(n)[:m]


def vendi_interval(
    features: ArrayLike, clusters: ArrayLike | None = None, *, level: float = 0.05
) -> Estimate:
    """Vendi score of images, with an interval.

    The score grows with the number of images, so samplers are compared at as many, which `drawn` chooses.
    The interval is the estimate with a t quantile of jackknife standard errors, which leave out one prompt
    at a time, or one of at most 20 groups of images where there are fewer than 5 prompts. That variance is
    too large rather than too small in the mean (Efron & Stein 1981).

    Parameters
    ----------
    features
        (m, d) features, none of them zero, in an order that is random within a prompt.
    clusters
        (m,) codes of the prompts.
    level
        The interval covers 1 - level.

    Returns
    -------
    Estimate
        Without a value, and with the reason, for fewer than 10 images.
    """
    chosen = np.asarray(features, dtype=np.float64)
    m = len(chosen)
    method = "Vendi score, cosine kernel"
    if m < FEWEST:
        return Estimate(value=None, method=method, reason=f"fewer than {FEWEST} images of this value")
    value = vendi_score(chosen)
    codes = np.zeros(m) if clusters is None else np.asarray(clusters)
    _, member = np.unique(codes, return_inverse=True)
    of_prompts = member.max() + 1 >= _FEWEST_CLUSTERS
    groups = member if of_prompts else np.arange(m) % min(m, _GROUPS)
    left = np.array([vendi_score(chosen[groups != g]) for g in range(groups.max() + 1)])
    error = np.sqrt((len(left) - 1) / len(left) * np.square(left - left.mean()).sum())
    half = float(special.stdtrit(len(left) - 1, 1 - level / 2) * error)
    return Estimate(
        value=value,
        low=max(1.0, value - half),
        high=min(float(m), value + half),
        method=f"{method}, jackknife over {'prompts' if of_prompts else 'images'}",
    )
