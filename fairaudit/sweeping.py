"""Sweeps: one sampler with several values of its parameters, as so many samplers of a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from itertools import product
from typing import Any

from fairaudit.entries import Entry, apart, key_of, parse_value, put_parameter
from fairaudit.errors import UsageError
from fairaudit.plan import SamplingPlan

FORM = "SAMPLER.PARAMETER=VALUE,VALUE,..., such as guidance.scale=1,2,4"
MOST = 64
"""Samplers of one grid: more is a slip rather than a plan."""

_LONGEST = 60
"""Characters of a label, with some to spare for a number that keeps equal ones apart."""


def apply_sweeps(entries: Sequence[Entry], sweeps: Iterable[str]) -> list[Entry]:
    """The samplers of a run, each that is swept replaced by one for every combination of its values.

    The plain baseline stays, because the others are compared with it.

    Parameters
    ----------
    sweeps
        ``SAMPLER.PARAMETER=VALUE,VALUE,...`` each; several of one sampler make the grid of their values.

    Raises
    ------
    UsageError
        If one is not of that form, names no sampler of the run, or says something twice.
    """
    grids: dict[str, dict[str, list[Any]]] = {}
    for sweep in sweeps:
        sampler, parameter, values = _parse(sweep)
        if sampler not in map(key_of, entries):
            raise UsageError(f"--sweep {sweep!r}: {sampler} is not among the samplers of this run")
        if parameter in SamplingPlan.model_fields and parameter != "guidance_scale":
            raise UsageError(
                f"--sweep {sweep!r}: {parameter} is the same for all samplers of a run, which share their "
                "noise; make one run for each, and compare them with `fairaudit report RUN_A RUN_B`"
            )
        if parameter in grids.setdefault(sampler, {}):
            raise UsageError(f"--sweep {sweep!r}: {sampler}.{parameter} is swept twice; name all values once")
        grids[sampler][parameter] = values
    found: list[Entry] = []
    for entry in entries:
        grid = grids.get(key_of(entry))
        if grid is None or key_of(entry) == "baseline":
            found.append(entry)
        if grid is not None:
            found += _swept(entry, grid, [key_of(one) for one in (*entries, *found)])
    return found


def _parse(sweep: str) -> tuple[str, str, list[Any]]:
    place, equals, text = sweep.partition("=")
    if not (equals and re.fullmatch(r".+\.\w+", place)):
        raise UsageError(f"--sweep {sweep!r}: expected {FORM}")
    sampler, _, parameter = place.rpartition(".")
    values = _values(text)
    if not text.strip() or "" in values:
        raise UsageError(f"--sweep {sweep!r}: a value is missing; expected {FORM}")
    for i, value in enumerate(values):
        if value in values[:i]:
            raise UsageError(f"--sweep {sweep!r} names the value {_word(value)} twice")
    return sampler, parameter, values


def _values(text: str) -> list[Any]:
    """Values between commas, each as `parse_value` reads it; JSON may hold commas of its own.

    Examples
    --------
    >>> _values("1,.5,auto"), _values("[0.1, 0.9],[0.5, 0.5]")
    ([1, 0.5, 'auto'], [[0.1, 0.9], [0.5, 0.5]])
    """
    try:
        listed = json.loads(f"[{text}]")
    except (ValueError, RecursionError):
        return [parse_value(part.strip()) for part in text.split(",")]
    return list(listed)


def _swept(entry: Entry, grid: dict[str, list[Any]], taken: list[str]) -> list[Entry]:
    count = 1
    for values in grid.values():
        count *= len(values)
    if count > MOST:
        raise UsageError(f"the sweeps of {key_of(entry)} make {count} samplers, and {MOST} are the most")
    made = []
    for combination in product(*grid.values()):
        one = deepcopy(entry)
        words = [key_of(entry)]
        for parameter, value in zip(grid, combination, strict=True):
            put_parameter(one, parameter, value)
            words += [parameter, _word(value)]
        one["label"] = apart("-".join(words)[:_LONGEST], taken)
        taken.append(one["label"])
        made.append(one)
    return made


def _word(value: Any) -> str:
    """A value as part of a label.

    Examples
    --------
    >>> _word(0.5), _word(-2), _word([0.1, 0.9]), _word(True)
    ('0.5', 'minus2', '0.1-0.9', 'true')
    """
    text = value if isinstance(value, str) else json.dumps(value)
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", re.sub(r"(?<![\w.])-(?=[\d.])", "minus", text))
    return words.strip("-._") or "value"
