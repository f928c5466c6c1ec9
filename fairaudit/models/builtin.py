"""The models that the package carries, and what is known about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

PREFIX = "builtin:"
GENERATORS = ("faces64",)


def asset(name: str) -> Path:
    """The folder of a built-in model's files."""
    return Path(str(files("fairaudit.assets"))) / name


def planted_shares(name: str) -> Mapping[str, Mapping[str, Any]]:
    """What the training data of a built-in generator holds for every occupation (truth.json)."""
    content: Mapping[str, Mapping[str, Any]] = json.loads((asset(name) / "truth.json").read_text())
    return content


def planted(truth: Mapping[str, Mapping[str, Any]], prompt: str, attribute: str) -> dict[str, float] | None:
    """The training data's share of every value for the occupation that ends a prompt, if any does."""
    occupation = next((known for known in truth if prompt.endswith(f" {known}")), None)
    if occupation is None:
        return None
    counts = truth[occupation][attribute]
    return {value: count / truth[occupation]["n"] for value, count in counts.items()}
