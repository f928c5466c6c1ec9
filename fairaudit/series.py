"""Samplers of a run that are one sampler with several values of a parameter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from fairaudit.results import Results


@dataclass(frozen=True)
class Series:
    """One sampler in order of a parameter's value.

    Attributes
    ----------
    sampler
        What its members are called in common.
    names
        Samplers of the run, from the smallest value to the largest.
    labels
        By sampler: its value; the first says of what.
    """

    sampler: str
    parameter: str
    names: tuple[str, ...]
    labels: Mapping[str, str]


def series_of(results: Results) -> list[Series]:
    """Samplers of one kind and generator that differ in one number alone; a grid is several series."""
    members: dict[tuple[str, str | None], list[str]] = {}
    for name, sampler in results.samplers.items():
        if sampler.parameters:
            members.setdefault((sampler.title, sampler.generator), []).append(name)
    found = []
    for names in members.values():
        parameters = {name: results.samplers[name].parameters for name in names}
        varying = _varying(parameters)
        if not varying:
            continue
        swept = varying[-1]
        lines: dict[str, list[str]] = {}
        for name in names:
            rest = {key: value for key, value in parameters[name].items() if key != swept}
            if _is_number(parameters[name].get(swept)):
                lines.setdefault(json.dumps(rest, sort_keys=True, default=str), []).append(name)
        found += [_series(swept, line, parameters) for line in lines.values() if len(line) > 1]
    return found


def _varying(parameters: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Parameters that are numbers, and not the same in all."""
    keys = dict.fromkeys(key for own in parameters.values() for key in own)
    return [
        key
        for key in keys
        if len({json.dumps(own.get(key), default=str) for own in parameters.values()}) > 1
        and sum(_is_number(own.get(key)) for own in parameters.values()) > 1
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _series(parameter: str, line: list[str], parameters: Mapping[str, Mapping[str, Any]]) -> Series:
    names = sorted(line, key=lambda name: parameters[name][parameter])
    tail = f"-{parameter}-"
    first, found, _ = names[0].partition(tail)
    sampler = first if found else names[0]
    labels = {name: f"{parameters[name][parameter]:g}" for name in names}
    labels[names[0]] = f"{sampler}, {parameter.replace('_', ' ')} {labels[names[0]]}"
    return Series(sampler, parameter, tuple(names), labels)
