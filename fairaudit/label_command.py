"""The command `fairaudit label`: read pictures, and keep what was read as a table."""

from __future__ import annotations

import json as text_of
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairaudit.offline import Offline

if TYPE_CHECKING:
    from fairaudit.label_files import Counts

_BUILT_IN = "builtin:faces64-classifier"


def label(
    source: Annotated[
        str,
        typer.Argument(
            help="Pictures: a folder, a zip or tar archive, a Parquet file, a run, or a URL of one.",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Table to write, .csv or .parquet.")] = Path("labels.csv"),
    classifier: Annotated[
        str, typer.Option(help="Who reads the pictures; see `fairaudit list classifiers`.")
    ] = _BUILT_IN,
    second_opinion: Annotated[
        list[str] | None,
        typer.Option(help="Another classifier, with a table of its own; repeatable.", show_default=False),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="File of a classifier's weights: FILE or CLASSIFIER=FILE.", show_default=False),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            help="YAML file of what a classifier's outputs mean: FILE or CLASSIFIER=FILE.", show_default=False
        ),
    ] = None,
    faces: Annotated[
        str, typer.Option(help="Which face of a picture is judged: whole-image, largest or exclude-many.")
    ] = "whole-image",
    detector: Annotated[
        str, typer.Option(help="What finds faces; see `fairaudit list detectors`.")
    ] = "yunet",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON and nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
    offline: Offline = False,
) -> None:
    """Write what a classifier reads in every picture: a table that `fairaudit audit` measures."""
    from fairaudit.device import choose_device
    from fairaudit.entries import by_classifier
    from fairaudit.instruments import open_classifiers, open_finder
    from fairaudit.label_files import tables_of, write_labels
    from fairaudit.pictures import open_pictures
    from fairaudit.plan import make_plan
    from fairaudit.progress import progress_bars
    from fairaudit.reading import Eyes

    asked = [classifier, *(second_opinion or ())]
    content = {
        "generator": source,
        "classifier": classifier,
        "second_opinions": asked[1:],
        "weights": by_classifier(weights or (), asked),
        "outputs": by_classifier(outputs or (), asked),
        "faces": faces,
        "detector": detector,
    }
    plan = make_plan(content)
    tables = tables_of(out, asked)
    pictures = open_pictures(source)
    eyes = Eyes(open_classifiers(plan, choose_device(device)), open_finder(plan))
    with progress_bars(visible=not quiet) as bars, ExitStack() as opened:
        files = [opened.enter_context(table) for table in tables]
        counts = write_labels(pictures, eyes, files, bars)
    if json:
        found = {name: _record(count) for name, count in zip(asked, counts, strict=True)}
        record = {"classifiers": found, "skipped": len(pictures.skipped)}
        typer.echo(text_of.dumps(record, indent=1, ensure_ascii=False))
        return
    for name, count, table in zip(asked, counts, tables, strict=True):
        _show(name, count)
        typer.echo(table.path)
    _show_skipped(pictures.skipped)


def _record(count: Counts) -> dict[str, Any]:
    return {"outcomes": dict(count.outcomes), "values": {n: dict(v) for n, v in count.values.items()}}


def _show(name: str, count: Counts) -> None:
    typer.echo(f"{name}: {', '.join(f'{kind} {number}' for kind, number in count.outcomes.most_common())}")
    for attribute, values in count.values.items():
        typer.echo(f"  {attribute}: {', '.join(f'{value} {number}' for value, number in values.items())}")


def _show_skipped(skipped: Mapping[str, str]) -> None:
    from fairaudit.pictures.collection import kind_of

    if skipped:
        kinds = Counter(map(kind_of, skipped.values())).most_common()
        typer.echo(f"files skipped: {len(skipped)} ({', '.join(f'{kind} {n}' for kind, n in kinds)})")
