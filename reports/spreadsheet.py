"""Every number of the results as a row of CSV, at full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from fairaudit.reporting import ReportInput
from fairaudit.results import Estimate, Results

COLUMNS = ("sampler", "prompt", "attribute", "metric", "value", "low", "high", "n", "method", "reason")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that spreadsheets would compute."""
_DERIVED = ("value", "low", "high", "method", "reason")
NO_VALUE = "not computed"
_TOLD = ("schema_", "n", "samplers", "comparisons")
"""Fields of the results that are told one by one, or in every row."""


def render(report: ReportInput) -> bytes:
    """The results as CSV (RFC 4180): UTF-8, lines end in CRLF, one row a number.

    Parameters
    ----------
    report
        What to show. Texts that a spreadsheet would take for a formula begin with an apostrophe.

    Returns
    -------
    bytes
        A head, then rows of `COLUMNS`. Numbers are as precise as in results.json; what could not be
        computed has an empty value and a reason. Equal reports give equal bytes.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(field) for field in row.fields()] for row in rows(report.results))
    return out.getvalue().encode()


@dataclass(frozen=True)
class Row:
    """One number, and whose it is."""

    sampler: str = ""
    prompt: str = ""
    attribute: str = ""
    metric: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    method: str = ""
    reason: str = ""

    def fields(self) -> list[str | float | None]:
        """What `COLUMNS` hold."""
        return [getattr(self, column) for column in COLUMNS]

    def of(self, key: str) -> Row:
        """The row of a number below this one."""
        return replace(self, metric=f"{self.metric}.{key}" if self.metric else key)


def rows(results: Results) -> Iterator[Row]:
    """All numbers, in the order of results.json; metrics are named by their path there."""
    whole = Row(n=results.n)
    for name, sampler in results.samplers.items():
        own = replace(whole, sampler=name)
        for attribute, found in sampler.attributes.items():
            yield from _below(found, replace(own, attribute=attribute))
        for prompt, answer in sampler.prompts.items():
            for attribute, found in answer.attributes.items():
                yield from _below(found, replace(own, prompt=prompt, attribute=attribute))
        for field in type(sampler).model_fields:
            if field not in ("attributes", "prompts", "parameters"):
                yield from _numbers(getattr(sampler, field), own.of(field), "")
    for item in results.comparisons:
        pair = replace(whole, sampler=f"{item.a} - {item.b}", metric=item.metric)
        yield from _below(item, pair)
    for field in type(results).model_fields:
        if field not in _TOLD and (value := getattr(results, field)) is not None:
            yield from _numbers(value, whole.of(field), "")


def _numbers(value: Any, row: Row, reason: str) -> Iterator[Row]:
    """The numbers in a part of the results; `reason` is that of the part which holds it."""
    if isinstance(value, Estimate):
        ends = {key: getattr(value, key) for key in ("value", "low", "high", "method")}
        yield replace(row, **ends, reason=value.reason or "")
        yield from _below(value, row, _DERIVED)
    elif isinstance(value, BaseModel):
        yield from _below(value, row)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _numbers(one, row.of(str(key)), reason)
    elif isinstance(value, list | tuple):
        for i, one in enumerate(value):
            yield from _numbers(one, row.of(str(i)), reason)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield replace(row, value=value)
    elif value is None:
        yield replace(row, reason=reason or NO_VALUE)


def _below(part: BaseModel, row: Row, known: tuple[str, ...] = ("n",)) -> Iterator[Row]:
    """The fields of a part; those that say how large it was or why it is not there are in its rows."""
    n = getattr(part, "n", row.n)
    reason = getattr(part, "reason", None) or ""
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        # What is not a number, where it is there, leaves no number behind where it is not.
        if name in known or (value is None and "float" not in str(field.annotation)):
            continue
        yield from _numbers(value, replace(row.of(name), n=n), reason)


def _cell(field: str | float | None) -> str | float | None:
    """A text that stays text; numbers are written so that they read back as the same number."""
    return f"'{field}" if isinstance(field, str) and field.startswith(_FORMULA) else field
