"""What makes a transition point the right one: the criteria, by name.

| name | switches where | costs, per image |
|---|---|---|
| published | beta-weighted differences of both own paths balance (Choi et al. 2024) | 2 N |
| coefficients | the same with the coefficients of the reverse ODE | 2 N |
| common | differences at common points, with what each does to the final image, balance | 2 N |
| paired | both orders give the most similar image from the same noise | 2 N + tries |
| law | both orders give the most similar law, by energy distance | 2 N + tries |
| witness | images of both orders lie equally near to both unswitched laws | 2 N + tries |
| share | a classifier finds a value as often in images of both orders | 2 N + tries |

A try at a switch before step i costs 2 (N - i) evaluations, and guidance doubles everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fairaudit.errors import UsageError
from fairaudit.transition.curves import (
    Array,
    Curve,
    beta_mass,
    between_cuts,
    contracted_coefficients,
    crossing,
    lowest,
    ode_coefficients,
    published_norm,
    settle,
    signed_sums,
)
from fairaudit.transition.distances import Energy, witness
from fairaudit.transition.paths import Advance, Midway, Paths, Steps
from fairaudit.transition.setting import Batch, Pair, Setting

Measure = Callable[[Tensor], Array]
"""Clean latents (n, ...) to a number (n,): how much the image shows the first value, not the second."""


Look = Callable[[Tensor], Array]
"""Clean latents (n, ...) to (n, d): what of an image its law is the law of."""

Mean = Callable[[NDArray[np.int64]], float]
"""What some of the images say at one cut."""


def flat(latents: Tensor) -> Array:
    """The latents (n, ...) as (n, d)."""
    rows: Array = latents.flatten(1).double().cpu().numpy()
    return rows


@dataclass(frozen=True)
class Search:
    """A search for the transition point of a pair of values.

    Parameters
    ----------
    measure
        What `share` measures; other criteria need none.
    look
        What `paired`, `law` and `witness` compare: the latents themselves, or a classifier's features.
    """

    setting: Setting
    batch: Batch
    pair: Pair
    measure: Measure | None = None
    look: Look = flat
    advance: Advance = lambda evaluations: None

    @cached_property
    def paths(self) -> Paths:
        """Both unswitched paths; criteria that are asked one after another share them."""
        return Paths(self.setting, self.batch, self.pair, self.advance)


@dataclass(frozen=True)
class Found:
    """A curve, and the network evaluations per image that it cost."""

    curve: Curve
    evaluations: float


def published(search: Search) -> Found:
    """The balance of beta-weighted differences, equation of the transition point in the paper."""
    paths = search.paths
    return _balance(paths.steps, _beta_weights(paths.steps), paths.differences, paths.cost())


def coefficients(search: Search) -> Found:
    """The same balance, weighted by what a step of the reverse ODE takes from the image."""
    paths = search.paths
    weights = ode_coefficients(paths.steps.levels)
    return _balance(paths.steps, weights, paths.differences, paths.cost())


def common(search: Search) -> Found:
    """The balance of differences at common points, each with its effect on the final image."""
    path = Midway(search.setting, search.batch, search.pair, search.advance)
    weights = contracted_coefficients(path.steps.levels, path.differences, path.after)
    return _balance(path.steps, weights, path.differences, path.field.evaluations)


def paired(search: Search) -> Found:
    """The mean distance between the images of both orders from the same noise."""

    def score(first: Array, second: Array) -> Mean:
        return _mean(np.linalg.norm(first - second, axis=1))

    return _descend(search, score)


def law(search: Search) -> Found:
    """The energy distance between the laws of both orders."""
    return _descend(search, lambda first, second: Energy(first, second).of)


def witnessed(search: Search) -> Found:
    """Where both orders lie equally near to the two unswitched laws."""
    first, second = (search.look(end) for end in search.paths.ends())
    return _bisect(search.paths, lambda latents: witness(search.look(latents), first, second))


def share(search: Search) -> Found:
    """Where the measured share of the first value, less the second, is the same in both orders."""
    if search.measure is None:
        raise UsageError("the criterion share takes a classifier that reads the attribute; try witness")
    return _bisect(search.paths, search.measure)


CRITERIA: dict[str, Callable[[Search], Found]] = {
    "published": published,
    "coefficients": coefficients,
    "common": common,
    "paired": paired,
    "law": law,
    "witness": witnessed,
    "share": share,
}


def _mean(values: Array) -> Mean:
    return lambda rows: float(values[rows].mean())


def _beta_weights(steps: Steps) -> Array:
    betas = getattr(steps.scheduler, "betas", None)
    if betas is None:
        raise UsageError("the published criterion takes a noise schedule with betas; try another criterion")
    return beta_mass(betas.double().cpu().numpy(), [int(t) for t in steps.timesteps])


def _balance(steps: Steps, weights: Array, differences: Array, evaluations: float) -> Found:
    taus, sums = between_cuts(steps.bounds, signed_sums(weights, differences))
    return Found(settle(taus, published_norm(sums), differences.shape[1], lowest), evaluations)


def _descend(search: Search, score: Callable[[Array, Array], Mean]) -> Found:
    """Coarse to fine: every fourth of the cuts, then halfway beside the lowest, down to one step."""
    paths = search.paths
    count = len(paths.steps.timesteps)
    images = np.arange(len(paths.differences[0]))
    tried: dict[int, Mean] = {}

    def value(cut: int) -> float:
        if cut not in tried:
            first, second = (search.look(latents) for latents in paths.switched(cut))
            tried[cut] = score(first, second)
        return float(tried[cut](images))

    stride = max(1, count // 4)
    best = min(range(stride, count, stride), key=value)
    while stride > 1:
        stride = (stride + 1) // 2
        best = min((cut for cut in (best, best - stride, best + stride) if 0 < cut < count), key=value)
    return _settled(paths, tried, lowest)


def _bisect(paths: Paths, measure: Measure) -> Found:
    """Halve the cuts between which the measures of both orders cross."""
    ends = [measure(end) for end in paths.ends()]
    count = len(paths.steps.timesteps)
    # Never switched, an image shows its own value; switched at once, the other.
    gaps = {count: ends[0] - ends[1], 0: ends[1] - ends[0]}
    low, high = 0, count
    while high - low > 1:
        cut = (low + high) // 2
        first, second = (measure(latents) for latents in paths.switched(cut))
        gaps[cut] = first - second
        low, high = (low, cut) if gaps[cut].mean() > 0 else (cut, high)
    return _settled(paths, {cut: _mean(gap) for cut, gap in gaps.items()}, crossing)


def _settled(paths: Paths, scores: dict[int, Mean], choose: Callable[[Array, Array], float]) -> Found:
    cuts = sorted(scores)

    def score(rows: NDArray[np.int64]) -> Array:
        return np.array([scores[cut](rows) for cut in cuts])

    taus = paths.steps.bounds[cuts]
    return Found(settle(taus, score, len(paths.differences[0]), choose), paths.cost(cuts))
