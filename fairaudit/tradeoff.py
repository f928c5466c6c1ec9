"""What fairness costs: which samplers are on the front, and which the data show to be dominated.

A sampler T dominates S where T is at least as good in both directions, and better in one. *Dominated with
confidence* rejects, for some T, the hypothesis that T does not dominate S: both directions must be shown,
each by a test of its own, and the larger p-value counts (the intersection-union test: Berger 1982,
Technometrics 24:295; it needs no adjustment for being two tests). Over the samplers T that could dominate
S, p-values are adjusted by Holm (1979). So each sampler that none dominates in truth is called dominated with
a chance of at most the level. An estimate is shown to be no worse only by being shown to be better,
because no margin is assumed; counts, as of network evaluations, are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fairaudit.fronts import Choice, Dominated, TradeOff
from fairaudit.gaps import EXACT, Kind, chance_apart, chance_lower, comparison_of, numbers_of
from fairaudit.metrics.titles import metric_direction
from fairaudit.results import Discrepancy, Estimate, Results
from fairaudit.statistics.tests import holm

KINDS: tuple[Kind, ...] = ("quality", "utility", "cost")
TELLING = ("fid", "clip_fid", "cmmd", "kid", "frechet")
"""Measures of quality by which samplers are told apart, the best known first."""
SLACK = 0.05
"""Seconds have no interval, and differ from run to run: within this fraction they count as equal."""
_MEANS = ("clip_score", "content.unchanged")
"""What stands for quality where no real images are there."""

Array = NDArray[np.float64]


def front(x: ArrayLike, y: ArrayLike, slack: float = 0.0) -> NDArray[np.bool_]:
    """Which of some points (n,) no other dominates; less is better in both directions.

    Parameters
    ----------
    slack
        Fraction of y >= 0 within which two values of y count as equal, in [0, 1).

    Examples
    --------
    >>> front([1, 2, 3, 2], [3, 1, 2, 1]).tolist()
    [True, True, False, True]
    >>> front([1, 2], [3.02, 3], slack=0.05).tolist()
    [True, False]
    """
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    # Rows are dominated, columns dominate.
    apart = np.abs(second - second[:, None]) > slack * np.maximum(second, second[:, None])
    fewer = apart & (second < second[:, None])
    more = apart & (second > second[:, None])
    no_worse = (first <= first[:, None]) & ~more
    better = (first < first[:, None]) | fewer
    return np.asarray(~np.any(no_worse & better, axis=1), dtype=np.bool_)


def p_dominated(first: ArrayLike, second: ArrayLike) -> Array:
    """Adjusted p-values (n, n) that the column's sampler dominates the row's.

    Parameters
    ----------
    first, second
        (n, n) one-sided p-values that the column's sampler is no worse than the row's, of either direction.
    """
    both = np.maximum(np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64))
    adjusted = np.ones_like(both)
    for row in range(len(both)):
        others = [column for column in range(len(both)) if column != row]
        adjusted[row, others] = holm(both[row, others].tolist())
    return adjusted


def with_tradeoffs(results: Results, level: float) -> Results:
    """The results with what fairness costs, where there are several samplers.

    At a level of 0 nothing is shown, and what is left are the estimates.
    """
    if len(results.samplers) < 2:
        return results
    attributes = dict.fromkeys(name for one in results.samplers.values() for name in one.attributes)
    return results.model_copy(
        update={
            "tradeoffs": [found for name in attributes for found in _tradeoffs(results, name, level)],
            "choices": [found for name in attributes if (found := _choice(results, name, level))],
        }
    )


def deciding(results: Results, attribute: str) -> dict[str, Discrepancy]:
    """By sampler, the discrepancy that its verdict is about, where it has a value."""
    found = {
        name: one.attributes[attribute].fd_prompts or one.attributes[attribute].fd
        for name, one in results.samplers.items()
        if attribute in one.attributes
    }
    return {name: fd for name, fd in found.items() if fd.value is not None}


def fairness_metric(results: Results, attribute: str) -> str:
    """What comparisons call the discrepancy that verdicts are about."""
    some = (one.attributes[attribute] for one in results.samplers.values() if attribute in one.attributes)
    return f"{attribute}.fd_prompts" if any(found.fd_prompts for found in some) else f"{attribute}.fd"


def quality_metric(results: Results, names: Sequence[str]) -> tuple[Kind, str] | None:
    """The measure of quality that tells samplers apart best, of those that all of them have."""
    having: list[tuple[Kind, str]] = [
        (kind, metric)
        for kind in KINDS[:2]
        for metric in numbers_of(results.samplers[names[0]], kind)
        if metric_direction(metric) and all(_value(results, name, kind, metric) is not None for name in names)
    ]
    for wanted in (*TELLING, *_MEANS):
        for kind, metric in having:
            if metric.partition(":")[0] == wanted:
                return kind, metric
    return next((one for one in having if one[0] == "quality"), None)


def _tradeoffs(results: Results, attribute: str, level: float) -> Iterator[TradeOff]:
    discrepancies = deciding(results, attribute)
    fairness = fairness_metric(results, attribute)
    for kind in KINDS:
        for metric in dict.fromkeys(m for n in discrepancies for m in numbers_of(results.samplers[n], kind)):
            names = [n for n in discrepancies if _value(results, n, kind, metric) is not None]
            if not metric_direction(metric) or len(names) < 2:
                continue
            on_front = front(
                [discrepancies[name].value or 0.0 for name in names],
                [_badness(results, name, kind, metric) for name in names],
                SLACK if kind == "cost" and metric != EXACT else 0.0,
            )
            p_values = p_dominated(
                [[_p_fairer(results, fairness, t, s, level) for t in names] for s in names],
                [[_p_better(results, (kind, metric), t, s, level) for t in names] for s in names],
            )
            yield TradeOff(
                attribute=attribute,
                fairness=fairness,
                kind=kind,
                metric=metric,
                direction=metric_direction(metric),
                front=[name for name, on in zip(names, on_front, strict=True) if on],
                dominated={
                    name: Dominated(by=names[int(row.argmin())], p_value=float(row.min()))
                    for name, row in zip(names, p_values, strict=True)
                    if row.min() < level
                },
                level=level,
            )


def _choice(results: Results, attribute: str, level: float) -> Choice | None:
    discrepancies = deciding(results, attribute)
    if len(discrepancies) < 2:
        return None
    metric = fairness_metric(results, attribute)
    fairest = min(discrepancies, key=lambda name: discrepancies[name].value or 0.0)
    others = [name for name in discrepancies if name != fairest]
    shown = holm([_p_fairer(results, metric, fairest, name, level) for name in others])
    tied = [name for name, p in zip(others, shown, strict=True) if p is None or p >= level]
    candidates = [fairest, *tied]
    choice = Choice(attribute=attribute, fairest=fairest, not_less_fair=tied)
    told = quality_metric(results, candidates)
    if told is not None:
        best = min(candidates, key=lambda name: _badness(results, name, *told))
        rest = [name for name in candidates if name != best]
        worse = holm([_p_better(results, told, best, name, level) for name in rest])
        not_worse = [name for name, p in zip(rest, worse, strict=True) if p is None or p >= level]
        choice = choice.model_copy(update={"metric": told[1], "best": best, "not_worse": not_worse})
    evaluations = {name: results.samplers[name].cost.nfe_per_image for name in candidates}
    known = {name: count for name, count in evaluations.items() if count is not None}
    fewest = min(known.values(), default=None)
    cheapest = [name for name, count in known.items() if count == fewest]
    return choice.model_copy(update={"cheapest": cheapest})


def _number(results: Results, name: str, kind: Kind, metric: str) -> Estimate | None:
    return numbers_of(results.samplers[name], kind).get(metric)


def _value(results: Results, name: str, kind: Kind, metric: str) -> float | None:
    found = _number(results, name, kind, metric)
    return None if found is None else found.value


def _badness(results: Results, name: str, kind: Kind, metric: str) -> float:
    value = _value(results, name, kind, metric) or 0.0
    return -value if metric_direction(metric) == "higher is better" else value


def _p_fairer(results: Results, metric: str, a: str, b: str, level: float) -> float:
    """That a has a lower discrepancy than b: paired wherever they share their noise."""
    found = comparison_of(results, metric, a, b)
    return 1.0 if found is None else chance_lower(found.difference, found.p_value, level)


def _p_better(results: Results, told: tuple[Kind, str], a: str, b: str, level: float) -> float:
    """That a is no worse than b in another number: paired where that was compared, else from intervals."""
    kind, metric = told
    of_a, of_b = _number(results, a, kind, metric), _number(results, b, kind, metric)
    if of_a is None or of_b is None or a == b:
        return 1.0
    if metric == EXACT:
        return 0.0 if (of_a.value or 0.0) <= (of_b.value or 0.0) else 1.0
    higher = metric_direction(metric) == "higher is better"
    for key in (metric, f"{kind}.{metric}"):
        found = comparison_of(results, key, *((b, a) if higher else (a, b)))
        if found is not None and found.difference.value is not None:
            return chance_lower(found.difference, found.p_value, level)
    return chance_apart(of_b, of_a, level) if higher else chance_apart(of_a, of_b, level)
