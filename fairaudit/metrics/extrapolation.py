"""Frechet distance at infinitely many images: distances at several n -> a line in 1 / n -> its end.

Chong & Forsyth (CVPR 2020): the bias of a Frechet distance at n images goes as 1 / n once n is large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from fairaudit.metrics.quality import Reference, distance_of, fewest, vectors_of
from fairaudit.results import Estimate

Array = NDArray[np.float64]

_TIMES = 12
"""Images that an extrapolation takes, as a multiple of those that a distance takes: 3 d."""


@dataclass(frozen=True)
class Ends:
    """Where the line in 1 / n ends.

    Attributes
    ----------
    value
        Of all images.
    ends
        (replicates, 2), of both halves of every halving.
    curved
        What the fit of a + b / n + c / n^2 through n, n / 2 and n / 4 adds to the line's end.
    """

    value: float
    ends: Array
    curved: float


def frechet_at_infinity(
    features: ArrayLike,
    reference: Reference,
    *,
    replicates: int = 25,
    seed: int = 0,
    level: float = 0.05,
    name: str = "Frechet distance",
) -> Estimate:
    """The distance that infinitely many images would have, and an interval over the images.

    The line goes through the distance of all n images and the mean distance of halves of them, drawn
    without replacement. The interval comes from the same line through every half and its own two
    halves, whose common bias goes with their mean; and it reaches as far again as the line moves where
    the next term, in 1 / n^2, is fitted too. Simulated for d 64 and 96, n 3 d to 8 d and
    variances that are equal or fall off as k^-1 to k^-1.3, it covers in 96 to 100 of 100; at 2 d
    in as few as 6.

    Parameters
    ----------
    features
        (n, d) features of the generated images.
    replicates, seed
        Number of halvings, and where they start.
    level
        The interval covers 1 - level.

    Returns
    -------
    Estimate
        The reference's own sampling error stays in it. Without a value where n is less than 3 d:
        the bias does not go as 1 / n there yet. Negative only by chance.
    """
    vectors = vectors_of(features)
    method = f"{name}, line in 1/n through n = {len(vectors)} and halves (Chong & Forsyth 2020)"
    found = ends_at_infinity(vectors, reference, replicates, np.random.default_rng(seed))
    if isinstance(found, str):
        return Estimate(value=None, method=method, reason=found)
    # Both halves of a halving are independent: the variance between them is that of an estimate from n / 2.
    deviation = np.sqrt(np.var(found.ends, axis=1, ddof=1).mean() / 2)
    half = stats.t.ppf(1 - level / 2, replicates - 1) * float(deviation) + abs(found.curved)
    return Estimate(value=found.value, low=found.value - half, high=found.value + half, method=method)


def ends_at_infinity(
    vectors: Array, reference: Reference, replicates: int, rng: np.random.Generator
) -> Ends | str:
    """What an extrapolation rests on; or why there is none."""
    n, d = vectors.shape
    if n < (least := _TIMES * fewest(d)):
        return f"{n} images, fewer than {least}: the bias does not fall as 1 / n yet"
    rotated = vectors @ reference.root
    drawn = np.array([_halving(vectors, rotated, reference, rng) for _ in range(replicates)])
    halves, quarters = drawn.reshape(-1, 2).T
    value = float(_end(distance_of(vectors, rotated, reference), float(halves.mean())))
    ends = np.reshape(_end(halves, quarters), (replicates, 2))
    curved = (value - float(_end(float(halves.mean()), float(quarters.mean())))) / 3
    return Ends(value, ends, curved)


def _halving(
    vectors: Array, rotated: Array, reference: Reference, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Of both halves of the images: their distance, and the mean distance of their own halves."""
    order = rng.permutation(len(vectors))
    found = []
    for rows in np.array_split(order, 2):
        parts = [distance_of(vectors[some], rotated[some], reference) for some in np.array_split(rows, 2)]
        found.append((distance_of(vectors[rows], rotated[rows], reference), float(np.mean(parts))))
    return found


def _end(whole: Array | float, halves: Array | float) -> Array | float:
    """Where the line in 1 / n through the distance at n and that at n / 2 ends."""
    return 2 * whole - halves
