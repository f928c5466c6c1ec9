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
