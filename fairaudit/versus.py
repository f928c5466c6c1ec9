"""What versus.json holds: two runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from fairaudit.fronts import Record
from fairaudit.metrics.titles import metric_direction, metric_title
from fairaudit.results import Comparison, Estimate


class Side(Record):
    """One of two runs."""

    name: str
    generator: str
    n: int
    """Images of each sampler."""
    plan_digest: str
    results_digest: str


class Pair(Record):
    """A sampler of either run, which are compared: second minus first."""

    sampler: str
    first: str
    """What it is called here: RUN/SAMPLER."""
    second: str
    shares: dict[str, dict[str, Estimate]]
    """By attribute and value: difference of the shares."""


class Versus(Record):
    """Two runs, what is the same in them, and how far they differ."""

    schema_: Literal[1] = Field(1, alias="schema")
    first: Side
    second: Side
    paired: bool
    """Whether their images start from the same noise."""
    same: list[str]
    differs: list[str]
    notes: list[str]
    """What could not be compared, or only otherwise, and why."""
    pairs: list[Pair]
    comparisons: list[Comparison]
    """Second minus first; tests adjusted over all of them (Holm)."""
    level: float
    verdicts: list[str]
    """What is shown, in sentences."""


def verdicts(versus: Versus, attributes: Sequence[str]) -> Iterator[str]:
    """One sentence an attribute, one on quality and utility."""
    first, second = versus.first.name, versus.second.name
    for name in attributes:
        own = [c for c in versus.comparisons if c.metric in (f"{name}.fd", f"{name}.fd_prompts")]
        parts = [
            f"{second} is {word} than {first} under {', '.join(samplers)}"
            for word, sign in (("fairer", -1), ("less fair", 1))
            if (samplers := [_sampler(c) for c in own if sign_shown(c, versus.level) == sign])
        ]
        open_ = [_sampler(c) for c in own if not sign_shown(c, versus.level)]
        if open_:
            parts.append(f"no difference in fairness is shown under {', '.join(open_)}")
        yield f"Perceived {name}: {'; '.join(parts) or 'not compared'}."
    if not attributes:
        yield f"{first} and {second} audit no attribute in common: no fairness is compared."
    others = [c for c in versus.comparisons if metric_direction(c.metric) and not _is_fairness(c.metric)]
    if others:
        yield _quality(versus, others)


def _quality(versus: Versus, others: list[Comparison]) -> str:
    parts = []
    for word, better in (("better", True), ("worse", False)):
        found = [
            f"{metric_title(c.metric)} ({_sampler(c)})"
            for c in others
            if (sign := sign_shown(c, versus.level))
            and (sign > 0) == ((metric_direction(c.metric) == "higher is better") == better)
        ]
        if found:
            parts.append(f"{versus.second.name} is {word} in {', '.join(found)}")
    said = "; ".join(parts) or "no difference is shown"
    return f"Quality and utility, {len(others)} numbers compared: {said}."


def _is_fairness(metric: str) -> bool:
    return metric.endswith((".fd", ".fd_prompts"))


def _sampler(comparison: Comparison) -> str:
    return comparison.a.partition("/")[2]


def sign_shown(comparison: Comparison, level: float) -> int:
    """1 or -1 for a difference whose sign is shown, 0 for one that is not."""
    low, high, p = comparison.difference.low, comparison.difference.high, comparison.p_adjusted
    if low is None or high is None or p is None or p >= level:
        return 0
    return 1 if low > 0 else -1 if high < 0 else 0
