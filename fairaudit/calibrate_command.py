"""The command `fairaudit calibrate`: count a classifier's errors on faces whose values are known."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairaudit.offline import Offline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from fairaudit.calibrating import Calibrated
    from fairaudit.labelling import Calibration, Classifier
    from fairaudit.plan import AuditPlan

SUFFIX = ".calibration.json"
SHORT = 3
"""Values up to which the recall of each within other attributes is printed."""


def calibrate(
    classifier: Annotated[str, typer.Argument(help="See `fairaudit list classifiers`.")],
    data: Annotated[
        Path,
        typer.Argument(
            help="A folder of pictures with labels.csv (file, gender, race, age), a Parquet file of pictures "
            "with such columns, or a run that people labelled with `fairaudit annotate`."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the calibrations.")] = Path("runs/calibration"),
    attribute: Annotated[
        list[str] | None,
        typer.Option(help="Repeat for several. [default: all that both know]", show_default=False),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="File of the classifier's weights.", show_default=False)
    ] = None,
    outputs: Annotated[
        Path | None, typer.Option(help="YAML file of what its outputs mean.", show_default=False)
    ] = None,
    faces: Annotated[str, typer.Option(help="whole-image, largest or exclude-many.")] = "whole-image",
    detector: Annotated[
        str | None, typer.Option(help="Who finds faces. [default: yunet]", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
    offline: Offline = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the calibrations as JSON and nothing else.")
    ] = False,
) -> None:
    """Count a classifier's errors on known faces; audits correct shares by them."""
    from fairaudit.calibrating import calibrate as count
    from fairaudit.calibrations import shown_of
    from fairaudit.device import choose_device
    from fairaudit.errors import unknown
    from fairaudit.instruments import open_classifiers, open_finder
    from fairaudit.known_faces import open_known_faces
    from fairaudit.plan import make_plan
    from fairaudit.progress import progress_bars
    from fairaudit.reliability_picture import draw_reliability
    from fairaudit.store import write

    files = {"weights": weights, "outputs": outputs}
    plan = make_plan(
        {"generator": str(data), "classifier": classifier, "faces": faces}
        | ({} if detector is None else {"detector": detector})
        | {name: {classifier: str(path)} for name, path in files.items() if path is not None}
    )
    reader = open_classifiers(plan, choose_device(device))[0]
    for name in attribute or ():
        if name not in reader.values:
            raise unknown(f"attribute of {reader.name}", name, reader.values)
    _check_out(out, reader)
    known = open_known_faces(data, reader.values, attribute or [])
    facts = {
        "preprocessing": reader.preprocessing,
        "faces": shown_of(plan, reader),
        "weights": dict(reader.fingerprint()),
    }
    with progress_bars(visible=not quiet) as bars:
        found = count(reader, open_finder(plan), known, facts, bars)
    for name, one in found.found.items():
        write(out / f"{name}{SUFFIX}", to_json(one))
    if any(one.reliability is not None for one in found.found.values()):
        write(out / "reliability.png", draw_reliability(found.found))
    use = _use(plan, reader, found, out, of_run=known.of_run)
    if json:
        typer.echo(_as_json(found))
        return
    for line in describe(found, reader.values):
        typer.echo(line)
    typer.echo(use)


def to_json(calibration: Calibration) -> bytes:
    """The content of a calibration file."""
    return (calibration.model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n").encode()


def _check_out(out: Path, classifier: Classifier) -> None:
    """Refuse a folder that cannot be written, or holds what another classifier or other weights had."""
    from fairaudit.errors import UsageError
    from fairaudit.folders import check_writable
    from fairaudit.labelling import Calibration

    check_writable(out)
    weights = set(classifier.fingerprint().values())
    for path in sorted(out.glob(f"*{SUFFIX}")):
        there = Calibration.load(path)
        if there.classifier != classifier.name or weights != set((there.weights or {}).values()):
            raise UsageError(
                f"{path} is not of {classifier.name} with these weights, and is not overwritten; "
                "name another folder with --out"
            )


def _as_json(found: Calibrated) -> str:
    """What was counted, for programs."""
    from json import dumps

    counted = {
        name: one.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, one in found.found.items()
    }
    return dumps({"calibrations": counted, "left_out": dict(found.left_out)}, indent=1, ensure_ascii=False)


def describe(found: Calibrated, values: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Accuracy, calibration error and recall of every attribute, a line each."""
    for name, one in found.found.items():
        if name not in values:
            continue
        counts = one.counts
        recalls = counts.diagonal() / counts.sum(axis=1)
        if one.reliability is not None:
            before, after = one.reliability.before.ece, one.reliability.after.ece
            yield (
                f"{name}: accuracy {counts.trace() / counts.sum():.3f} of {counts.sum():,} faces; "
                f"calibration error {before:.3f}, and {after:.3f} at temperature {one.temperature:.2f}"
            )
        else:
            yield f"{name}: {found.left_out[name]}"
        yield f"  recall: {_each(values[name], recalls)}"
        for other, table in found.within[name].items():
            if len(table) > SHORT:
                continue  # the joint calibrations hold it
            for value, row in zip(values[name], table, strict=True):
                yield f"  recall of {value} within {other}: {_each(values[other], row)}"
        if one.outcomes:
            yield f"  without a label: {', '.join(f'{key} {n}' for key, n in one.outcomes.items())}"
    for name, why in found.left_out.items():
        if name not in found.found:
            yield f"{name}: {why}"


def _each(values: Sequence[str], numbers: NDArray[np.float64]) -> str:
    parts = zip(values, numbers, strict=True)
    return ", ".join(f"{value} {'n/a' if isnan(number) else f'{number:.2f}'}" for value, number in parts)


def _use(plan: AuditPlan, classifier: Classifier, found: Calibrated, out: Path, *, of_run: bool) -> str:
    """Keep the calibrations where audits look for them, unless they are of one run; say how they are used."""
    from fairaudit.calibrations import kept_calibration, own_calibration
    from fairaudit.store import write

    own = [name for name in found.found if own_calibration(plan, classifier, name) is not None]
    if not of_run:
        for name, one in found.found.items():
            if name not in own:
                write(kept_calibration(plan, classifier, name, one.values), to_json(one))
    if of_run or own:
        why = "they are of one run's pictures" if of_run else f"{classifier.name} has its own"
        option = f"--calibration {out}/ATTRIBUTE{SUFFIX}"
        return f"{out}\nto use them ({why}), name each attribute's: fairaudit audit ... {option}"
    return f"{out}\naudits with {classifier.name}, these weights and faces use them from now on"
