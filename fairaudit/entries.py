"""What is written on the command line about the samplers of a run, as parts of its plan."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fairaudit import registry
from fairaudit.errors import UsageError
from fairaudit.pictures import is_pictures
from fairaudit.plan import LABEL
from fairaudit.tables import is_label_table

ALL = "all"
"""Stands for every sampler."""

Entry = dict[str, Any]
"""A sampler as a plan file has it: name, parameters, label, generator."""


def parse_sampler(text: str) -> Entry:
    """``NAME``, or ``LABEL=NAME``.

    Examples
    --------
    >>> parse_sampler("low=switching")
    {'name': 'switching', 'parameters': {}, 'label': 'low'}
    """
    label, name = _labelled(text)
    return {"name": name, "parameters": {}} | ({"label": label} if label else {})


def every_sampler() -> list[str]:
    """The names of all registered samplers, the baseline first."""
    return sorted(registry.names("samplers"), key=lambda name: (name != "baseline", name))


def parse_against(others: Iterable[str], taken: Sequence[Entry]) -> tuple[list[Entry], dict[str, str]]:
    """The baseline on each of other models, and pictures or labels that are there, by their name.

    Each is ``NAME`` or ``LABEL=NAME``.

    Those without a label are called by their folder or repository; a number keeps them apart.
    """
    entries: list[Entry] = []
    pictures: dict[str, str] = {}
    for text in others:
        label, other = _labelled(text)
        keys = [*(key_of(entry) for entry in (*taken, *entries)), *pictures]
        label = label or apart(short_name(other), keys)
        if is_pictures(other) or is_label_table(other):
            if label in keys:
                raise UsageError(f"--against {text!r}: another sampler is called {label!r}, too")
            pictures[label] = other
        else:
            entries.append({"name": "baseline", "parameters": {}, "label": label, "generator": other})
    return entries, pictures


def by_classifier(given: Sequence[str], asked: Sequence[str]) -> dict[str, str]:
    """Files of classifiers: ``CLASSIFIER=FILE`` each, or ``FILE`` of the first classifier.

    Examples
    --------
    >>> by_classifier(["a.pt", "clip:RN50=b=c.pt"], ["fairface", "clip:RN50"])
    {'fairface': 'a.pt', 'clip:RN50': 'b=c.pt'}
    """
    found = {}
    for text in given:
        name, equals, file = text.partition("=")
        found.update({name: file} if equals and name in asked else {asked[0]: text})
    return found


def short_name(model: str) -> str:
    """What a model is called for short, fit for a label.

    Examples
    --------
    >>> short_name("builtin:faces64"), short_name("org/model"), short_name("models/a+lora/b.safetensors")
    ('faces64', 'model', 'a-b')
    """
    parts = [Path(part).resolve() if part in (".", "..") else Path(part) for part in model.split("+")]
    names = [part.stem if part.suffix == ".safetensors" else part.name for part in parts]
    text = "-".join(name.rpartition(":")[2] for name in names)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._") or "model"


def key_of(entry: Entry) -> str:
    """What a sampler is called in its run."""
    return str(entry.get("label") or entry["name"])


def apply_settings(entries: Sequence[Entry], settings: Iterable[str]) -> None:
    """Put parameters, ``SAMPLER.PARAMETER=VALUE`` each, where they belong.

    Raises
    ------
    UsageError
        If one is not of that form, or its sampler is not among the entries.
    """
    for setting in settings:
        place, equals, text = setting.partition("=")
        if not (equals and re.fullmatch(r".+\.\w+", place)):
            raise UsageError(
                f"--set {setting!r}: expected SAMPLER.PARAMETER=VALUE, such as switching.tau=0.6"
            )
        sampler, _, parameter = place.rpartition(".")
        found = next((entry for entry in entries if key_of(entry) == sampler), None)
        if found is None:
            raise UsageError(f"--set {setting!r}: {sampler} is not among the samplers of this run")
        put_parameter(found, parameter, parse_value(text))


def put_parameter(entry: Entry, parameter: str, value: Any) -> None:
    """Give a sampler a parameter. Its guidance scale is no rule of its own, but a part of the plan."""
    if parameter == "guidance_scale":
        entry[parameter] = value
    else:
        entry.setdefault("parameters", {})[parameter] = value


def parse_value(text: str) -> Any:
    """A number, a truth value, anything else that is JSON, or the text itself.

    Examples
    --------
    >>> parse_value(".5"), parse_value("true"), parse_value("[0.1, 0.9]"), parse_value("auto")
    (0.5, True, [0.1, 0.9], 'auto')
    """
    for parse in (json.loads, float):
        try:
            return parse(text)
        except (ValueError, RecursionError):
            continue
    return text


def _labelled(text: str) -> tuple[str | None, str]:
    label, equals, rest = text.partition("=")
    return (label, rest) if equals and re.fullmatch(LABEL, label) else (None, text)


def apart(name: str, taken: Sequence[str]) -> str:
    """A name that is not taken yet: the name itself, or with a number.

    Examples
    --------
    >>> apart("model", ["model"])
    'model-2'
    """
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
