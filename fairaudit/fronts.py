"""The part of results.json that says what fairness costs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from fairaudit.metrics.titles import Direction


class Record(BaseModel):
    """A part of results.json."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")


class Dominated(Record):
    """A sampler that another is shown to be better than, in fairness and in what it is held against."""

    by: str
    p_value: float
    """Adjusted over all samplers that could dominate it (Holm)."""


class TradeOff(Record):
    """Fairness in one attribute against one other number, over all samplers that have both."""

    attribute: str
    fairness: str
    """The discrepancy, as comparisons call it."""
    kind: Literal["quality", "utility", "cost"]
    metric: str
    direction: Direction
    front: list[str]
    """Samplers whose estimates no other sampler's dominate; seconds within 5 % count as equal."""
    dominated: dict[str, Dominated]
    """By sampler: what the data show, not what the estimates say."""
    level: float
    """Chance at the most that a sampler which none dominates in truth is among `dominated`."""


class Choice(Record):
    """Which sampler to take for which need in one attribute, as far as the data decide."""

    attribute: str
    fairest: str
    """The lowest discrepancy."""
    not_less_fair: list[str]
    """Others that are not shown to have a higher one."""
    metric: str | None = None
    """The measure of quality that they are told apart by."""
    best: str | None = None
    """Of all these the best in it."""
    not_worse: list[str] = []
    """Others of them that are not shown to be worse in it."""
    cheapest: list[str] = []
    """Of all these the ones with the fewest evaluations."""
