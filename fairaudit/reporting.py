"""What every report format is given: the results, where they came from, and pictures to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fairaudit.plan import AuditPlan
from fairaudit.results import Results
from fairaudit.versus import Versus


@dataclass(frozen=True)
class Picture:
    """One image of the grid: PNG bytes, its outcome, and value and confidence per attribute."""

    png: bytes
    outcome: str
    labels: dict[str, tuple[str, float]]
    assignment: str | None


@dataclass(frozen=True)
class GridRow:
    """The same prompt and the same noise under every sampler; pictures of a folder have a name instead."""

    prompt: str
    index: int
    pictures: dict[str, Picture]
    name: str = ""


@dataclass(frozen=True)
class ReportInput:
    """Everything a report may show.

    Parameters
    ----------
    command
        The shell command that makes the same run again.
    manifest
        Content of manifest.json: versions, device, sha256 of the weights.
    """

    plan: AuditPlan
    results: Results
    manifest: dict[str, Any]
    grid: list[GridRow]
    command: str
    versus: Versus | None = None
    """What holds of two runs, whose samplers the results then bring together."""
    plan_text: str = ""
    """The plans of both, then."""
    digest: str = ""
    """That of the results as they are stored, where they are shown otherwise."""
    shortened: bool = False
    """Whether paths of the plan are cut to their last part."""
