"""Pictures for the reports: the same prompt and noise under every sampler, or those that were given."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice, zip_longest
from typing import Any

import pandas as pd
from PIL import Image

from fairaudit.ahead import Fetch
from fairaudit.errors import UsageError
from fairaudit.gathering import Given, open_audited
from fairaudit.pictures.decoding import decode
from fairaudit.plan import IMAGES, AuditPlan
from fairaudit.prompts import Prompt
from fairaudit.reading import UNREADABLE
from fairaudit.reporting import GridRow, Picture
from fairaudit.store import Run, pixels, png

ROWS = 24
"""Rows of the grid, spread over the prompts."""

GIVEN_PICTURES = 48
SIDE = 128
"""Larger pictures are shown this wide."""

_Row = dict[str, Any]
_Place = tuple[str | None, int]
"""Prompt and index."""


def picture_grid(run: Run, plan: AuditPlan) -> list[GridRow]:
    """The first images of every prompt, as every sampler made them."""
    if not plan.prompts:
        return _given_grid(run, plan)
    names = [sampler.key for sampler in plan.samplers]
    each = max(1, min(plan.sampling.images_per_prompt, ROWS // len(plan.prompts)))
    prompts = [Prompt(template).text for template in plan.prompts[:ROWS]]
    wanted: set[_Place] = {(prompt, index) for prompt in prompts for index in range(each)}
    tables = {name: dict(_wanted(run, plan, name, wanted)) for name in names}
    return [
        GridRow(
            prompt,
            index,
            {name: _picture(tables[name][prompt, index], plan, None) for name in names},
        )
        for prompt in prompts
        for index in range(each)
    ]


def _given_grid(run: Run, plan: AuditPlan) -> list[GridRow]:
    """Readable pictures that were given, of as many prompts as fit; none where they have gone since."""
    try:
        given = open_audited(plan, run.folder)
    except UsageError:
        return []
    names = list(given.collections)
    alone = names == [IMAGES]
    found = [_readable(run, plan, name) for name in names]
    everywhere = set.intersection(*map(set, found))
    places = [place for place in dict.fromkeys(chain(*found)) if place in everywhere or not everywhere]
    wanted = spread(places, GIVEN_PICTURES if alone else ROWS)
    shown = {name: dict(_shown(run, plan, name, given, set(wanted))) for name in names}
    return [
        GridRow(
            prompt or "",
            index,
            {name: some[prompt, index][1] for name, some in shown.items() if (prompt, index) in some},
            next(some[prompt, index][0] for some in shown.values() if (prompt, index) in some)
            if alone
            else "",
        )
        for prompt, index in wanted
        if any((prompt, index) in some for some in shown.values())
    ]


def spread(places: Sequence[_Place], most: int) -> list[_Place]:
    """The first of every prompt, then the second of every prompt, and so on; prompt by prompt again."""
    prompts: dict[str | None, list[_Place]] = {}
    for place in places:
        prompts.setdefault(place[0], []).append(place)
    rounds = (place for some in zip_longest(*prompts.values()) for place in some if place is not None)
    kept = set(islice(rounds, most))
    return [place for own in prompts.values() for place in own if place in kept]


def _readable(run: Run, plan: AuditPlan, sampler: str) -> list[_Place]:
    return [
        _place(row)
        for name in _units(run, sampler)
        for row in pd.read_parquet(
            run.path("labels", plan.classifier, sampler, name), columns=["prompt", "index", "outcome"]
        ).to_dict("records")
        if row["outcome"] != UNREADABLE
    ]


def _place(row: Mapping[Any, Any]) -> _Place:
    prompt = row["prompt"]  # what is missing comes back as NaN, which is no text and equals nothing
    return prompt if isinstance(prompt, str) else None, int(row["index"])


def _shown(
    run: Run, plan: AuditPlan, sampler: str, given: Given, wanted: set[_Place]
) -> Iterator[tuple[_Place, tuple[str, Picture]]]:
    """Name and picture of every place."""
    for place, row in _wanted(run, plan, sampler, wanted):
        try:
            yield place, (row["name"], _picture(row, plan, given.collections[sampler].read))
        except UsageError:
            continue  # gone since it was labelled


def _wanted(run: Run, plan: AuditPlan, sampler: str, wanted: set[_Place]) -> Iterator[tuple[_Place, _Row]]:
    """Samples beside their labels; unit by unit, because there may be many."""
    for name in _units(run, sampler):
        samples = pd.read_parquet(run.path("samples", sampler, name))
        labels = pd.read_parquet(run.path("labels", plan.classifier, sampler, name))
        # Both were stored in the same order.
        joined = samples.join(labels.drop(columns=["prompt", "index"]).rename(columns={"image": "name"}))
        for row in joined.to_dict("records"):
            place = _place(row)
            if place in wanted:
                yield place, {str(key): cell for key, cell in row.items()}


def _units(run: Run, sampler: str) -> list[str]:
    return [path.stem for path in sorted(run.path("samples", sampler, "any").parent.glob("*.parquet"))]


def _picture(row: _Row, plan: AuditPlan, fetch: Fetch | None) -> Picture:
    image, assignment = row["image"], row["assignment"]
    encoded = image["bytes"] if fetch is None else png(decode(fetch(image["path"])))
    labels = {
        name: (row[name], float(row[f"{name}.p.{row[name]}"]))
        for name in plan.attributes
        if isinstance(row[name], str)
    }
    aimed = assignment if isinstance(assignment, str) else None
    return Picture(_shrink(encoded), str(row["outcome"]), labels, aimed)


def _shrink(encoded: bytes) -> bytes:
    picture = Image.fromarray(pixels(encoded))
    if max(picture.size) <= SIDE:
        return encoded
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
