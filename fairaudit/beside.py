"""Two finished runs side by side: what is the same, how far they differ, and one report of both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fairaudit.entries import apart
from fairaudit.errors import UsageError
from fairaudit.opened import Opened
from fairaudit.plan import AuditPlan, flatten
from fairaudit.reporting import GridRow, ReportInput
from fairaudit.results import Results, SamplerResult
from fairaudit.store import Run, read_manifest
from fairaudit.tables import is_label_table
from fairaudit.tradeoff import with_tradeoffs
from fairaudit.versing import compare_runs
from fairaudit.versus import Versus

_FACTS = ("source", "other_sources", "classifier", "device", "fairaudit", "versions")
"""Parts of a manifest that say what a run was made with."""

ABSENT = "absent"


def open_two(first: Path, second: Path) -> tuple[Opened, Opened]:
    """Two finished runs, called by their folders.

    Raises
    ------
    UsageError
        If one of them is no finished run.
    """
    names = [_name(first)]
    names.append(apart(_name(second), names))
    one, other = (_open(folder, name) for folder, name in zip((first, second), names, strict=True))
    return one, other


def put_side_by_side(first: Opened, second: Opened) -> ReportInput:
    """What a report of both shows: every sampler of either, and the comparisons of those that match."""
    versus = compare_runs(first, second, _same(first, second), _differs(first, second))
    results = _together(first, second, versus)
    return ReportInput(
        plan=_plan(first, second),
        results=with_tradeoffs(results, versus.level).model_copy(update={"choices": []}),
        manifest=dict(second.manifest),
        grid=_grid(first, second),
        command=f"fairaudit report {first.name} {second.name}",
        versus=versus,
        plan_text="\n".join(f"# {run.name}\n{run.plan.to_yaml()}" for run in (first, second)),
    )


def _name(folder: Path) -> str:
    """What a run is called for short, fit for a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-._")[:40] or "run"


def _open(folder: Path, name: str) -> Opened:
    for file in ("results.json", "plan.yaml", "manifest.json"):
        if not (folder / file).exists():
            raise UsageError(f"{folder} holds no {file}: it is no finished run")
    return Opened(
        name,
        Run(folder),
        AuditPlan.load(folder / "plan.yaml"),
        Results.load(folder / "results.json"),
        read_manifest(folder / "manifest.json"),
    )


def _same(first: Opened, second: Opened) -> list[str]:
    """Parts of the plans that are equal."""
    one, other = (run.plan.model_dump(mode="json", by_alias=True) for run in (first, second))
    return [part for part in one if part != "schema" and one[part] == other[part]]


def _differs(first: Opened, second: Opened) -> list[str]:
    """What differs in the plans and in what the runs were made with, `entry: first -> second` each."""
    one, other = flatten(_entries(first)), flatten(_entries(second))
    return [
        f"{key}: {_brief(one.get(key, ABSENT))} -> {_brief(other.get(key, ABSENT))}"
        for key in dict.fromkeys([*one, *other])
        if one.get(key) != other.get(key)
    ]


def _entries(run: Opened) -> dict[str, Any]:
    """A plan with its samplers by name and its prompts one by one, and the facts of the manifest."""
    content = run.plan.model_dump(mode="json", by_alias=True)
    samplers = [
        (sampler.key, sampler.model_dump(mode="json", exclude_none=True)) for sampler in run.plan.samplers
    ]
    content["samplers"] = dict(samplers)
    content["prompts"] = dict.fromkeys(run.plan.prompts, "asked")
    return content | {f"made with {part}": run.manifest[part] for part in _FACTS if run.manifest.get(part)}


def _brief(text: str) -> str:
    """Digests of files by their beginning."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b", r"\1...", text)


def _together(first: Opened, second: Opened, versus: Versus) -> Results:
    """One object of all samplers of both, pairs beside each other."""
    both = {
        run.key(name): _own(run, found) for run in (first, second) for name, found in run.samplers.items()
    }
    paired = [name for pair in versus.pairs for name in (pair.first, pair.second)]
    order = [*paired, *(name for name in both if name not in paired)]
    return Results(
        plan_digest=f"{first.results.plan_digest}, {second.results.plan_digest}",
        generator=second.results.generator,
        n=max(first.results.n, second.results.n),
        skipped={
            f"{run.name}/{file}": why for run in (first, second) for file, why in run.results.skipped.items()
        },
        samplers={name: both[name] for name in order},
        comparisons=versus.comparisons,
        caveats=list(dict.fromkeys([*first.results.caveats, *second.results.caveats])),
    )


def _own(run: Opened, found: SamplerResult) -> SamplerResult:
    return found.model_copy(update={"generator": found.generator or run.results.generator})


def _plan(first: Opened, second: Opened) -> AuditPlan:
    """The second run's plan with the samplers and prompts of both, for what a report says of them."""
    samplers = tuple(
        sampler.model_copy(
            update={"label": run.key(sampler.key), "generator": run.plan.generator_of(sampler)}
        )
        for run in (first, second)
        for sampler in run.plan.samplers
    )
    prompts = tuple(dict.fromkeys([*first.plan.prompts, *second.plan.prompts]))
    return second.plan.model_copy(update={"samplers": samplers, "prompts": prompts})


def _grid(first: Opened, second: Opened) -> list[GridRow]:
    """Pictures of the same prompt and index under the samplers of both runs."""
    before, after = ({(row.prompt, row.index): row for row in _rows(run)} for run in (first, second))
    return [
        GridRow(
            prompt,
            index,
            {first.key(name): shot for name, shot in row.pictures.items()}
            | {second.key(name): shot for name, shot in after[prompt, index].pictures.items()},
        )
        for (prompt, index), row in before.items()
        if (prompt, index) in after
    ]


def _rows(run: Opened) -> list[GridRow]:
    from fairaudit.showing import picture_grid

    return [] if is_label_table(run.plan.generator) else picture_grid(run.run, run.plan)
