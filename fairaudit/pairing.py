"""Quality of two samplers on the same noise: stored features of both to differences, pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.metrics.kernels import SCALE
from fairaudit.metrics.paired_quality import (
    paired_frechet,
    paired_infinity,
    paired_kernel,
    paired_neighbourhoods,
)
from fairaudit.quality_networks import Network
from fairaudit.real import Real
from fairaudit.results import Comparison
from fairaudit.statistics.paired import PairedDifference

KEYS = ["prompt", "index"]


@dataclass(frozen=True)
class Pairs:
    """Features of the images that two samplers made from the same noise; a is compared with b.

    Attributes
    ----------
    first, second
        (n, d), row by row from the same noise.
    """

    a: str
    b: str
    first: NDArray[np.float64]
    second: NDArray[np.float64]

    @classmethod
    def of(cls, a: str, b: str, first: pd.DataFrame, second: pd.DataFrame) -> Pairs:
        """From tables of features, by prompt and index; images that only one of them has are left out."""
        one, other = (
            table.assign(prompt=table["prompt"].fillna("")).set_index(KEYS)["feature"].sort_index()
            for table in (first, second)
        )
        shared = one.index.intersection(other.index)
        return cls(a, b, *(_vectors(some.loc[shared]) for some in (one, other)))


def compare_quality(
    network: Network, pairs: Pairs, real: Real, *, level: float, seed: Callable[[str], int]
) -> Iterator[Comparison]:
    """Every measure of quality that there is of these features; tests are not adjusted yet.

    Parameters
    ----------
    seed
        Where chance starts, by the key of a measure.
    """
    if len(pairs.first) == 0 or real.reason is not None or real.dimensions != pairs.first.shape[1]:
        return
    for key, found in _differences(network, pairs, real, level, seed):
        if found.difference.value is None:
            continue
        method = f"{found.difference.method}; features of {network.name}"
        difference = found.difference.model_copy(update={"method": method})
        yield Comparison(
            metric=key, a=pairs.a, b=pairs.b, difference=difference, p_value=found.p_value, test=found.test
        )


def _differences(
    network: Network, pairs: Pairs, real: Real, level: float, seed: Callable[[str], int]
) -> Iterator[tuple[str, PairedDifference]]:
    sides, name = (pairs.first, pairs.second), network.title
    key = network.frechet
    yield key, paired_frechet(*sides, real.reference, seed=seed(key), level=level, name=name)
    if network.kind is None:
        return
    if real.features is not None:
        clip = network.kind == "clip"
        kernel = (
            paired_kernel(*sides, real.gaussian, unbiased=False, scale=SCALE, level=level, name="CMMD")
            if clip
            else paired_kernel(*sides, real.cubic, unbiased=True, level=level)
        )
        yield network.kernel, kernel
    key = network.infinity
    yield key, paired_infinity(*sides, real.reference, seed=seed(key), level=level, name=name)
    if real.features is not None:
        near = paired_neighbourhoods(*sides, real.manifold, level)
        yield from ((f"{one}:{network.name}", difference) for one, difference in near.items())


def _vectors(features: pd.Series) -> NDArray[np.float64]:
    return np.stack(features.to_list()).astype(np.float64) if len(features) else np.empty((0, 0))
