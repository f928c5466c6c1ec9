"""Pictures for the reports: the same prompt and noise under every sampler, or those that were given."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pandas as pd
from PIL import Image

from fairaudit.errors import UsageError
from fairaudit.gathering import Given, open_audited
from fairaudit.pictures.decoding import decode
from fairaudit.plan import IMAGES, AuditPlan
from fairaudit.prompts import Prompt
from fairaudit.reading import UNREADABLE, Fetch
from fairaudit.reporting import GridRow, Picture
from fairaudit.store import Run, pixels, png

ROWS = 24
"""Rows of the grid, spread over the prompts."""

GIVEN_PICTURES = 48
SIDE = 128
"""Larger pictures are shown this wide."""

_Row = dict[str, Any]


def picture_grid(run: Run, plan: AuditPlan) -> list[GridRow]:
    """The first images of every prompt, as every sampler made them."""
    if not plan.prompts:
        return _given_grid(run, plan)
    names = [sampler.key for sampler in plan.samplers]
    each = max(1, min(plan.sampling.images_per_prompt, ROWS // len(plan.prompts)))
    prompts = [Prompt(template).text for template in plan.prompts[:ROWS]]
    wanted = {(prompt, index) for prompt in prompts for index in range(each)}
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
    """The first readable pictures that were given; none where they have gone since."""
    try:
        given = open_audited(plan, run.folder)
    except UsageError:
        return []
    shown = {name: dict(islice(_shown(run, plan, name, given), GIVEN_PICTURES)) for name in given.collections}
    if list(shown) == [IMAGES]:
        return [
            GridRow(row["name"], place[1], {IMAGES: made}) for place, (row, made) in shown[IMAGES].items()
        ]
    places = list(dict.fromkeys(place for some in shown.values() for place in some))[:ROWS]
    return [
        GridRow(
            prompt or "",
            index,
            {name: some[prompt, index][1] for name, some in shown.items() if (prompt, index) in some},
        )
        for prompt, index in places
    ]


def _shown(
    run: Run, plan: AuditPlan, sampler: str, given: Given
) -> Iterator[tuple[tuple[str | None, int], tuple[_Row, Picture]]]:
    for place, row in _rows(run, plan, sampler):
        if row["outcome"] == UNREADABLE:
            continue
        try:
            yield place, (row, _picture(row, plan, given.collections[sampler].read))
        except UsageError:
            continue  # gone since it was labelled


def _wanted(
    run: Run, plan: AuditPlan, sampler: str, wanted: set[tuple[str, int]]
) -> Iterator[tuple[tuple[str | None, int], _Row]]:
    return ((place, row) for place, row in _rows(run, plan, sampler) if place in wanted)


def _rows(run: Run, plan: AuditPlan, sampler: str) -> Iterator[tuple[tuple[str | None, int], _Row]]:
    """Samples beside their labels, by prompt and index; unit by unit, because there may be many."""
    for path in sorted(run.path("samples", sampler, "any").parent.glob("*.parquet")):
        samples = pd.read_parquet(path)
        labels = pd.read_parquet(run.path("labels", plan.classifier, sampler, path.stem))
        # Both were stored in the same order.
        joined = samples.join(labels.drop(columns=["prompt", "index"]).rename(columns={"image": "name"}))
        for row in joined.to_dict("records"):
            yield (row["prompt"], int(row["index"])), {str(key): cell for key, cell in row.items()}


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
