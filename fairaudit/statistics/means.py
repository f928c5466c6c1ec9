"""Means of quantities per image, with an interval over prompts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from fairaudit.results import Estimate
from fairaudit.statistics.correction import Array

CLUSTERS = "expanded percentile bootstrap over prompts"
IMAGES = "expanded percentile bootstrap over images"

_FEWEST_CLUSTERS = 5
_CELLS = 2_000_000
"""Resampled indices held in memory at once."""


def mean_interval(
    x: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Mean of a quantity per image, with a bootstrap interval over prompts, or else over images.

    The percentiles are those of the expanded interval of Hesterberg (2015, The American
    Statistician 69:371): at few clusters a plain percentile interval is too short by about
    sqrt(1 - 1 / clusters) and by the ratio of a normal to a t quantile. Equal values have an
    interval without width: a bootstrap cannot know of what it never saw.

    Parameters
    ----------
    x
        (n,) values; images without one are nan and left out.
    clusters
        (n,) codes of the prompts; with fewer than 5 distinct ones images are resampled instead,
        and the interval is one for these prompts, not for others like them.
    level
        The interval covers 1 - level.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Returns
    -------
    Estimate
        Without an interval, and with the reason, for one image; without a value for none.

    Raises
    ------
    ValueError
        If values are infinite, or not as many as the codes.
    """
    every = np.asarray(x, dtype=np.float64)
    if every.ndim != 1 or np.isinf(every).any():
        raise ValueError("values are one row of finite numbers, nan for images without one")
    if clusters is not None and np.shape(clusters) != every.shape:
        raise ValueError("every value has the code of its prompt")
    known = ~np.isnan(every)
    values = every[known]
    codes = np.zeros(0) if clusters is None else np.asarray(clusters)[known]
    _, member = np.unique(codes, return_inverse=True)
    clustered = member.max(initial=-1) + 1 >= _FEWEST_CLUSTERS
    method = CLUSTERS if clustered else IMAGES
    if values.size < 2:
        mean = float(values[0]) if values.size else None
        reason = "one image has no interval" if values.size else "no image has a value"
        return Estimate(value=mean, method=method, reason=reason)
    groups = member if clustered else np.arange(values.size)
    sums = np.bincount(groups, weights=values).astype(np.float64)
    sizes = np.bincount(groups).astype(np.float64)
    means = _resampled(sums, sizes, replicates, np.random.default_rng(seed))
    low, high = np.quantile(means, _expanded(len(sums), level))
    return Estimate(value=float(values.mean()), low=float(low), high=float(high), method=method)


def _resampled(sums: Array, sizes: Array, m: int, rng: np.random.Generator) -> Array:
    """Means (m,) over groups drawn with replacement."""
    groups = len(sums)
    step = max(1, _CELLS // groups)
    parts = []
    for start in range(0, m, step):
        drawn = rng.integers(groups, size=(min(step, m - start), groups))
        parts.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(parts)


def _expanded(groups: int, level: float) -> tuple[float, float]:
    """The percentiles to take so that few groups are covered as a t interval covers them."""
    quantile = special.stdtrit(groups - 1, 1 - level / 2) * np.sqrt(groups / (groups - 1))
    tail = float(special.ndtr(-quantile))
    return tail, 1 - tail
