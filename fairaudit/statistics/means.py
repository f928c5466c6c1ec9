"""Means of quantities per image, with an interval over prompts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from fairaudit.results import Estimate
from fairaudit.statistics.correction import Array
from fairaudit.statistics.simultaneous import wilson

CLUSTERS = "expanded percentile bootstrap over prompts"
IMAGES = "expanded percentile bootstrap over images"
ALIKE = "Wilson interval over images, which are all alike"

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
    interval without width: a bootstrap cannot know of what it never saw; for 0 and 1 see `fraction_interval`.

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
    groups, clustered = _groups(known, clusters)
    method = CLUSTERS if clustered else IMAGES
    if values.size < 2:
        mean = float(values[0]) if values.size else None
        reason = "one image has no interval" if values.size else "no image has a value"
        return Estimate(value=mean, method=method, reason=reason)
    sums = np.bincount(groups, weights=values).astype(np.float64)
    sizes = np.bincount(groups).astype(np.float64)
    means = _resampled(sums, sizes, replicates, np.random.default_rng(seed))
    low, high = np.quantile(means, _expanded(len(sums), level))
    return Estimate(value=float(values.mean()), low=float(low), high=float(high), method=method)


def fraction_interval(
    x: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> Estimate:
    """`mean_interval` of values that are 0 or 1, or nan; Wilson's interval where all of them are alike.

    No bootstrap of images that are all alike has a width, and a few of them would pass for certainty.
    """
    found = mean_interval(x, clusters, level=level, replicates=replicates, seed=seed)
    if found.low is None or found.value not in (0, 1):
        return found
    low, high = _wilson(np.asarray(x, dtype=np.float64), level)
    return found.model_copy(update={"low": low, "high": high, "method": ALIKE})


def mean_test(
    x: ArrayLike, clusters: ArrayLike | None = None, *, replicates: int = 2000, seed: int = 0
) -> tuple[float | None, str]:
    """Two-sided test that a mean of paired differences is 0: signs of prompts, or else of images, flipped.

    Parameters
    ----------
    x
        (n,) differences; nan for pairs without one.
    clusters
        (n,) codes of the prompts; with fewer than 5 distinct ones the images' own signs are flipped.

    Returns
    -------
    The p-value, None for fewer than two differences; and the name of the test.
    """
    every = np.asarray(x, dtype=np.float64)
    known = ~np.isnan(every)
    groups, clustered = _groups(known, clusters)
    test = f"paired sign flips over {'prompts' if clustered else 'images'}"
    if len(groups) < 2:
        return None, test
    sums = np.bincount(groups, weights=every[known]).astype(np.float64)
    rng, step, reached = np.random.default_rng(seed), max(1, _CELLS // len(sums)), 0
    for start in range(0, replicates, step):
        signs = rng.integers(2, size=(min(step, replicates - start), len(sums))) * 2 - 1
        # Rounding must not make equal sums differ.
        reached += int((np.abs(signs @ sums) >= abs(sums.sum()) - 1e-12 * np.abs(sums).sum()).sum())
    return (1 + reached) / (1 + replicates), test


def split_interval(
    x: ArrayLike,
    first: ArrayLike,
    clusters: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Mean among some images less the mean among the others, with the interval of `mean_interval`.

    Where values are 0 or 1 and all of a side are alike, it reaches at least as far as the one by Wilson's
    of both sides (Newcombe 1998, Statistics in Medicine 17:873).

    Parameters
    ----------
    x
        (n,) values; images without one are nan and left out.
    first
        (n,) which images are the former.
    clusters
        (n,) codes of the prompts.
    """
    every, some = np.asarray(x, dtype=np.float64), np.asarray(first, dtype=bool)
    known = ~np.isnan(every)
    groups, clustered = _groups(known, clusters)
    method = CLUSTERS if clustered else IMAGES
    values, side = every[known], some[known]
    if side.all() or not side.any():
        return Estimate(value=None, method=method, reason="one of the two groups of images is empty")
    parts = np.stack(
        [np.bincount(groups, weights=w) for own in (side, ~side) for w in (values * own, own)], axis=1
    )
    rng, count = np.random.default_rng(seed), len(parts)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=replicates) @ parts
    with np.errstate(invalid="ignore", divide="ignore"):
        differences = drawn[:, 0] / drawn[:, 1] - drawn[:, 2] / drawn[:, 3]
    value = float(values[side].mean() - values[~side].mean())
    if count < 2:
        return Estimate(value=value, method=method, reason="one image has no interval")
    low, high = np.nanquantile(differences, _expanded(count, level))
    parts_alike = np.ptp(values[side]) == 0 or np.ptp(values[~side]) == 0
    if parts_alike and np.isin(values, (0, 1)).all():
        mean, other = values[side].mean(), values[~side].mean()
        (a, b), (c, d) = (_wilson(values[own], level) for own in (side, ~side))
        low = min(low, value - np.hypot(mean - a, d - other))
        high = max(high, value + np.hypot(b - mean, other - c))
    return Estimate(value=value, low=float(low), high=float(high), method=method)


def _wilson(values: Array, level: float) -> tuple[float, float]:
    """Of values that are 0 or 1, or nan."""
    some = values[~np.isnan(values)]
    low, high = wilson(np.array([some.sum(), (1 - some).sum()]), level)
    return float(low[0]), float(high[0])


def _groups(known: NDArray[np.bool_], clusters: ArrayLike | None) -> tuple[NDArray[np.int64], bool]:
    """What is resampled, by the images that have a value: prompts, or images where these are too few."""
    n = int(known.sum())
    codes = np.zeros(n) if clusters is None else np.asarray(clusters)[known]
    _, member = np.unique(codes, return_inverse=True)
    clustered = member.max(initial=-1) + 1 >= _FEWEST_CLUSTERS
    return (member if clustered else np.arange(n)), bool(clustered)


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
