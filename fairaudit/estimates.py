"""A number with its interval: what the results are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A part of results.json."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")


class Estimate(Record):
    """A number with its interval. `value` is None exactly where `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str
    reason: str | None = None


def size_of(difference: Estimate) -> Estimate:
    """How large a difference is, whatever its sign; its interval reaches 0 where the difference's does."""
    value, low, high = difference.value, difference.low, difference.high
    if value is None or low is None or high is None:
        return difference
    ends = {"value": abs(value), "low": max(low, -high, 0.0), "high": max(-low, high)}
    return difference.model_copy(update=ends)
