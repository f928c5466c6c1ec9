"""Pictures for the reports: the same prompt and noise under every sampler."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from fairaudit.errors import ImageError
from fairaudit.models.images import read_image
from fairaudit.plan import IMAGES, AuditPlan
from fairaudit.prompts import Prompt
from fairaudit.reading import UNREADABLE
from fairaudit.reporting import GridRow, Picture
from fairaudit.store import Run, pixels, png

ROWS = 24
"""Rows of the grid, spread over the prompts."""

FOLDER_PICTURES = 48
SIDE = 128
"""Larger pictures are shown this wide."""


def picture_grid(run: Run, plan: AuditPlan) -> list[GridRow]:
    """The first images of every prompt, as every sampler made them."""
    if not plan.prompts:
        return _folder_grid(run, plan)
    names = [sampler.key for sampler in plan.samplers]
    tables = {name: _join(run, plan, name) for name in names}
    each = max(1, min(plan.sampling.images_per_prompt, ROWS // len(plan.prompts)))
    prompts = [Prompt(template).text for template in plan.prompts[:ROWS]]
    return [
        GridRow(
            prompt,
            index,
            {name: _picture(tables[name][prompt, index], plan, None) for name in names},
        )
        for prompt in prompts
        for index in range(each)
    ]


def _folder_grid(run: Run, plan: AuditPlan) -> list[GridRow]:
    folder = Path(plan.generator)
    rows = []
    for (_, index), row in _join(run, plan, IMAGES).items():
        if row["outcome"] == UNREADABLE:
            continue
        try:
            picture = _picture(row, plan, folder)
        except ImageError:
            continue  # gone since it was labelled
        rows.append(GridRow(row["name"], index, {IMAGES: picture}))
        if len(rows) == FOLDER_PICTURES:
            break
    return rows


def _join(run: Run, plan: AuditPlan, sampler: str) -> dict[tuple[str | None, int], dict[str, Any]]:
    """Samples beside their labels, by prompt and index."""
    samples = run.read_all("samples", sampler)
    labels = run.read_all("labels", plan.classifier, sampler)
    # Both were stored unit by unit in the same order.
    joined = samples.join(labels.drop(columns=["prompt", "index"]).rename(columns={"image": "name"}))
    return {
        (row["prompt"], int(row["index"])): {str(key): cell for key, cell in row.items()}
        for row in joined.to_dict("records")
    }


def _picture(row: dict[str, Any], plan: AuditPlan, folder: Path | None) -> Picture:
    image, assignment = row["image"], row["assignment"]
    encoded = image["bytes"] if folder is None else png(read_image(folder / image["path"]))
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
