"""The transition points of an attribute: every pair of values that is switched between."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np

from fairaudit.attributes import Attribute
from fairaudit.errors import UsageError, unknown
from fairaudit.transition.criteria import CRITERIA, Found, Look, Search, flat
from fairaudit.transition.curves import Array, Curve, noise_ratios
from fairaudit.transition.exact import exact_search
from fairaudit.transition.keeping import Kept
from fairaudit.transition.looks import MeasureOf
from fairaudit.transition.paths import Advance, Steps
from fairaudit.transition.record import CurveRecord, Facts, PairRecord, TauRecord
from fairaudit.transition.setting import Pair, Setting, draw

EXACT = "published (exact)"
FEWEST_STEPS = 2
FEWEST = 4
"""Images without which halves of them say nothing."""


@dataclass(frozen=True)
class Wish:
    """How the transition point is to be searched.

    Parameters
    ----------
    criterion
        A name of `CRITERIA`.
    images
        How many images are followed, dealt to the prompts in turn.
    exact, clamp
        Search as published instead (`exact_search`).
    every_pair
        All pairs of values, instead of the neighbours in the circle that switching goes through.
    profile
        Whether to measure, too, at which noise levels the attribute is decided.
    """

    criterion: str
    images: int
    exact: bool = False
    clamp: bool = False
    every_pair: bool = False
    profile: bool = False


def find_tau(
    setting: Setting,
    facts: Facts,
    wish: Wish,
    *,
    keep_in: Path | None = None,
    measure_of: MeasureOf | None = None,
    look: Look = flat,
    advance: Advance = lambda evaluations: None,
    searched: Callable[[Search], None] = lambda search: None,
) -> TauRecord:
    """Search the transition point of every pair of values, all on the same noise.

    Parameters
    ----------
    keep_in
        Folder in which the published search, which is long, is kept while it goes on.
    measure_of
        What `share` measures for a pair.
    look
        What of an image `law`, `paired` and `witness` compare.
    searched
        Told every search once it is done; its paths can be used further.

    Raises
    ------
    UsageError
        If the criterion is unknown or cannot be had, or there are too few images.
    """
    _check(setting, wish)
    batch = draw(setting, range(wish.images))
    steps = Steps(setting)
    has_betas = hasattr(steps.scheduler, "betas")
    records = []
    for pair in pairs_of(setting.attribute, every_pair=wish.every_pair):
        measure = measure_of(pair) if measure_of else None
        search = Search(setting, batch, pair, measure, look, advance)
        if wish.exact:
            kept = _kept(keep_in, facts, search, wish.clamp)
            found, beside = exact_search(search, clamp=wish.clamp, kept=kept), None
        else:
            found = CRITERIA[wish.criterion](search)
            beside = CRITERIA["published"](search) if has_betas else None
        records.append(_pair_record(pair, found, beside))
        searched(search)
    return _record(setting, facts, wish, steps, records)


def _check(setting: Setting, wish: Wish) -> None:
    if wish.criterion not in CRITERIA:
        raise unknown("criterion", wish.criterion, CRITERIA)
    if wish.clamp and not wish.exact:
        raise UsageError("--clamp belongs to the published search; add --exact")
    if wish.images < FEWEST:
        raise UsageError(f"a transition point takes at least {FEWEST} images, not {wish.images}")
    if setting.steps < FEWEST_STEPS:
        raise UsageError(f"a transition point lies between steps: it takes at least {FEWEST_STEPS} of them")


def pairs_of(attribute: Attribute, *, every_pair: bool = False) -> list[Pair]:
    """The neighbours in the circle of values, or all pairs."""
    values = attribute.values
    if every_pair or len(values) == 2:
        return list(combinations(values, 2))
    return list(pairwise([*values, values[0]]))


def cycle_points(steps: Steps, taus: Sequence[float], count: int) -> tuple[float, ...] | None:
    """The falling points of a cycle of K - 1 switches that transition points of pairs imply.

    For Gaussians of covariance v I a pair is best switched at sigma / alpha = sqrt(3 v), and a cycle
    at sqrt(v (K^2 / j^2 - 1)), j = 1 ... K - 1; the geometric mean over the pairs gives v. None where
    the steps are too few for K - 1 switches of their own.
    """
    bounds, ratios = np.array(steps.times[::-1]), noise_ratios(steps.levels[-2::-1])
    middle = np.interp(taus, bounds, np.log(ratios)).mean()
    wanted = [middle + 0.5 * np.log((count**2 / j**2 - 1) / 3) for j in range(1, count)]
    points = np.interp(wanted, np.log(ratios), bounds)
    switches = {sum(time > tau for time in steps.times) for tau in points}
    if len(switches) < count - 1:
        return None  # several switches would fall between the same two steps
    return tuple(float(tau) for tau in points)


def evaluations_of(setting: Setting, *, exact: bool, tries: int = 6) -> float:
    """About how many network evaluations an image of a pair will take, for a progress bar."""
    doubled = 2 * (1 + (setting.scale != 1))
    if exact:
        return 1000.0 * doubled
    return setting.steps * doubled * (1 + tries / 2)


def _kept(folder: Path | None, facts: Facts, search: Search, clamp: bool) -> Kept | None:
    if folder is None:
        return None
    setting, batch = search.setting, search.batch
    belongs = [facts.digest, setting.seed, search.pair, clamp, [prompt.template for prompt in batch.prompts]]
    return Kept(folder / f"exact-{'-'.join(search.pair)}.safetensors".replace(" ", ""), json.dumps(belongs))


def _record(
    setting: Setting, facts: Facts, wish: Wish, steps: Steps, pairs: Sequence[PairRecord]
) -> TauRecord:
    attribute = setting.attribute
    count = len(attribute.values)
    return TauRecord(
        generator=facts.generator,
        fingerprint=facts.fingerprint,
        attribute=attribute.name,
        values=attribute.values,
        prompts=tuple(prompt.template for prompt in setting.prompts),
        scheduler=setting.scheduler,
        steps=setting.steps,
        guidance_scale=setting.guidance_scale,
        seed=setting.seed,
        images=wish.images,
        criterion=EXACT if wish.exact else wish.criterion,
        times=tuple(steps.times),
        pairs=tuple(pairs),
        cycle=None if count == 2 else cycle_points(steps, [pair.tau for pair in pairs], count),
    )


def _pair_record(pair: Pair, found: Found, beside: Found | None) -> PairRecord:
    curve = found.curve
    return PairRecord(
        first=pair[0],
        second=pair[1],
        tau=curve.tau,
        low=curve.tau_low,
        high=curve.tau_high,
        evaluations=found.evaluations,
        curve=_curve(curve),
        published=None if beside is None else _curve(beside.curve),
        published_tau=None if beside is None else beside.curve.tau,
    )


def _curve(curve: Curve) -> CurveRecord:
    def numbers(array: Array) -> tuple[float, ...]:
        return tuple(float(number) for number in array)

    return CurveRecord(
        tau=numbers(curve.taus), value=numbers(curve.value), low=numbers(curve.low), high=numbers(curve.high)
    )
