"""Which sampler to take for which need, in words, and what the data leave open."""

from __future__ import annotations

from collections.abc import Sequence

from fairaudit.fronts import Choice, TradeOff
from fairaudit.metrics.titles import metric_title
from fairaudit.results import Results
from fairaudit.tradeoff import TELLING

NAMED = 4
"""Samplers that a sentence names; of more it says how many there are."""

_SLOTS = (TELLING, ("clip_score",), ("content.unchanged", "feature_cosine"), ("seconds_per_image",))
"""What a trade-off is shown in: closeness to real images, to the prompt, to the baseline, and cost."""


def shown(results: Results, attribute: str) -> list[TradeOff]:
    """The trade-offs of an attribute that say most, up to four."""
    own = [one for one in results.tradeoffs if one.attribute == attribute]
    found = []
    for slot in _SLOTS:
        ranked = [one for key in slot for one in own if one.metric.partition(":")[0] == key]
        found += ranked[:1]
    return found


def sentences(results: Results, choice: Choice) -> tuple[str, ...]:
    """The fairest, the best and the cheapest of those that may be as fair, and who is dominated."""
    candidates = [choice.fairest, *choice.not_less_fair]
    beaten = [
        name for name in results.samplers if _measured(results, name, choice) and name not in candidates
    ]
    if not choice.not_less_fair:
        parts = [
            f"For fairness take {choice.fairest}: its FD is shown to be lower than that of {_named(beaten)}."
        ]
    else:
        but = f", shown against {_named(beaten)}; but" if beaten else ", but"
        parts = [
            f"{choice.fairest} has the lowest FD{but} the data do not decide between it and "
            f"{_named(choice.not_less_fair)}.",
            *_quality(choice),
            *_cost(results, choice, candidates),
        ]
    return (*parts, *_dominated(results, choice.attribute))


def _measured(results: Results, name: str, choice: Choice) -> bool:
    found = results.samplers[name].attributes.get(choice.attribute)
    return found is not None and (found.fd_prompts or found.fd).value is not None


def _quality(choice: Choice) -> list[str]:
    if choice.metric is None or choice.best is None:
        return ["No measure of quality tells them apart: none was measured for all of them."]
    title = metric_title(choice.metric)
    if not choice.not_worse:
        return [f"Of these take {choice.best} for quality: it is shown to be the best in {title}."]
    return [
        f"Of these {choice.best} has the best {title}, but {_named(choice.not_worse)} "
        f"{_is(choice.not_worse)} not shown to be worse."
    ]


def _cost(results: Results, choice: Choice, candidates: Sequence[str]) -> list[str]:
    if not choice.cheapest:
        return []
    count = results.samplers[choice.cheapest[0]].cost.nfe_per_image
    cost = f"{count:.10g} network evaluations per image"
    if len(choice.cheapest) == len(candidates):
        return [f"All of them take {cost}."]
    return [f"Cheapest of these: {_named(choice.cheapest)}, with {cost}."]


def _dominated(results: Results, attribute: str) -> list[str]:
    """Samplers that another is shown to beat in fairness and in something else that was estimated."""
    found: dict[str, dict[str, list[str]]] = {}
    for one in shown(results, attribute):
        for name, dominated in one.dominated.items():
            found.setdefault(name, {}).setdefault(dominated.by, []).append(metric_title(one.metric))
    parts = [
        f"{name} ({'; '.join(f'by {by} in FD and {_named(metrics)}' for by, metrics in rivals.items())})"
        for name, rivals in found.items()
    ]
    return [f"Dominated with confidence: {_named(parts)}."] if parts else []


def _named(names: Sequence[str]) -> str:
    kept = list(names) if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    head, last = ", ".join(kept[:-1]), "".join(kept[-1:])
    return f"{head} and {last}" if head else last


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
