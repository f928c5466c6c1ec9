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
