"""The picture grid, kept small enough that a report stays one light file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fairaudit.reports.model import Grid, Reel, Shot, Strip
from fairaudit.reports.names import IMAGES, outcome_title
from fairaudit.reports.numbers import fixed, shorten
from PIL import Image

from fairaudit.reporting import GridRow, Picture

BUDGET = 1_150_000
"""Bytes of all pictures together; as base64 they are a third more."""

_SIDES = (320, 256, 192, 128, 96)


@dataclass(frozen=True)
class _Encoded:
    data: bytes
    kind: Literal["png", "jpeg"]


def grid(rows: Sequence[GridRow], samplers: Sequence[str]) -> Grid | None:
    """The grid by prompt, or None where there are no pictures."""
    if not rows:
        return None
    columns = [name for name in samplers if any(name in row.pictures for row in rows)]
    encoded = _encode(rows)
    shown = list(zip(rows, encoded, strict=False))
    # The rows of a folder are its files: they have a name each, but no noise.
    folder = columns == [IMAGES]
    reels = tuple(
        Reel(
            prompt,
            tuple(
                _strip(row, tuple(_shot(row, name, found, folder) for name in columns))
                for row, found in shown
                if row.prompt == prompt
            ),
        )
        for prompt in dict.fromkeys(row.prompt for row, _ in shown)
    )
    several = len(columns) > 1
    return Grid(
        "Same prompt, same noise" if several else "Pictures",
        ("Each row starts from the same noise; only the sampler differs. " if several else "")
        + "Below each picture is the classifier's label with its confidence.",
        tuple(columns),
        reels,
        len(rows) - len(shown),
    )


def _strip(row: GridRow, shots: tuple[Shot | None, ...]) -> Strip:
    labels = [picture.labels for picture in row.pictures.values()]
    values = dict.fromkeys(value for found in labels for value, _ in found.values())
    attributes = dict.fromkeys(name for found in labels for name in found)
    changed = (name for name in attributes if len({found.get(name, ("",))[0] for found in labels}) > 1)
    return Strip(f"noise {row.index}", shots, tuple(values), tuple(changed))


def _encode(rows: Sequence[GridRow]) -> list[dict[str, _Encoded]]:
    """The pictures as they are if they fit, else smaller, else fewer rows of the smallest."""
    whole = [{name: _Encoded(p.png, "png") for name, p in row.pictures.items()} for row in rows]
    if _size(whole) <= BUDGET:
        return whole
    for side in _SIDES:
        whole = [{name: _shrink(p.png, side) for name, p in row.pictures.items()} for row in rows]
        if _size(whole) <= BUDGET:
            return whole
    while _size(whole) > BUDGET:
        whole.pop()
    return whole


def _size(rows: list[dict[str, _Encoded]]) -> int:
    return sum(len(picture.data) for row in rows for picture in row.values())


def _shrink(png: bytes, side: int) -> _Encoded:
    with Image.open(io.BytesIO(png)) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return _Encoded(out.getvalue(), "jpeg")


def _shot(row: GridRow, name: str, pictures: dict[str, _Encoded], folder: bool) -> Shot | None:
    if name not in pictures:
        return None
    picture = row.pictures[name]
    labels = [f"{value} {fixed(confidence, 2)}" for value, confidence in picture.labels.values()]
    label = ", ".join(labels) if labels else outcome_title(picture.outcome)
    file = shorten(row.name, 60)
    place = [file] if folder else [name, shorten(row.prompt, 60), f"noise {row.index}"]
    alt = f"{', '.join(part for part in place if part) or 'picture'}: {label}"
    lines = _lines(picture, bool(labels)) + ((file,) if folder and file else ())
    return Shot(pictures[name].data, pictures[name].kind, alt, label, lines)


def _lines(picture: Picture, labelled: bool) -> tuple[str, ...]:
    lines = [f"aimed at {picture.assignment}"] if picture.assignment is not None else []
    if labelled and picture.outcome != "labelled":
        lines.append(outcome_title(picture.outcome))
    return tuple(lines)
