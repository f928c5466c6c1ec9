"""The run directory: files that are complete or absent, never half-written, never pickled."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from fairaudit.errors import PlanChangedError, UsageError, reason_of
from fairaudit.folders import make_folder
from fairaudit.plan import AuditPlan, differences

_LONGEST = 100
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])

# Lets Hugging Face datasets open the column as pictures.
_SAMPLES = pa.schema(
    [
        ("image", _IMAGE),
        ("prompt", pa.string()),
        ("index", pa.int64()),
        ("assignment", pa.string()),
    ],
    metadata={
        b"huggingface": json.dumps(
            {
                "info": {
                    "features": {
                        "image": {"_type": "Image"},
                        "prompt": {"dtype": "string", "_type": "Value"},
                        "index": {"dtype": "int64", "_type": "Value"},
                        "assignment": {"dtype": "string", "_type": "Value"},
                    }
                }
            }
        ).encode()
    },
)


@dataclass(frozen=True)
class Unit:
    """The smallest piece of work that is stored and resumed: a block of images of one prompt."""

    prompt: int
    block: int
    indices: tuple[int, ...]

    @property
    def name(self) -> str:
        """The stem of the unit's files."""
        return f"p{self.prompt:04d}-b{self.block:05d}"


def units_of(prompts: int, images: int, block: int) -> list[Unit]:
    """All units of `prompts` prompts with `images` images each, in blocks of `block`."""
    return [
        Unit(prompt, number, tuple(range(begin, min(begin + block, images))))
        for prompt in range(prompts)
        for number, begin in enumerate(range(0, images, block))
    ]


class Run:
    """A run directory.

    Parameters
    ----------
    folder
        Made where it does not exist. Opening an existing one continues it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether a folder holds a run."""
        return (folder / "plan.yaml").exists()

    @classmethod
    def open(cls, folder: Path, plan: AuditPlan, manifest: Mapping[str, Any]) -> Run:
        """Start or continue the run of a plan.

        Raises
        ------
        PlanChangedError
            If the folder holds a run of another plan, or of other weights or pictures.
        UsageError
            If the folder cannot be written, or holds files but no run.
        """
        run = cls(folder)
        plan_path, manifest_path = folder / "plan.yaml", folder / "manifest.json"
        # A kill in the very first write leaves this and nothing else.
        plan_path.with_name(plan_path.name + ".part").unlink(missing_ok=True)
        if cls.exists(folder):
            run._check_plan(AuditPlan.load(plan_path), plan)
            if manifest_path.exists():
                run._check_source(read_manifest(manifest_path), manifest)
        elif folder.is_dir() and any(folder.iterdir()):
            raise UsageError(f"{folder} holds files but no run; name a new or empty directory with --out")
        for part in folder.glob("**/*.part"):
            part.unlink()
        write(plan_path, plan.to_yaml().encode())
        if not manifest_path.exists():
            write(manifest_path, (json.dumps(manifest, indent=1) + "\n").encode())
        return run

    def _check_plan(self, old: AuditPlan, new: AuditPlan) -> None:
        if changed := differences(old, new):
            raise PlanChangedError(
                f"{self.folder} holds a run of another plan ({'; '.join(changed)}); "
                "ask for the same as before, or name another directory with --out"
            )

    def _check_source(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        for part in ("source", "other_sources", "classifier", "device", "fairaudit", "versions"):
            before, now = old.get(part), new.get(part)
            # Runs with one generator may not say that there are no others.
            if (before or None) != (now or None):
                what = "other weights of another model" if part == "other_sources" else f"another {part}"
                raise PlanChangedError(
                    f"{self.folder} was made with {what} than is here now "
                    f"({_brief(before)} -> {_brief(now)}); name another directory with --out"
                )

    def path(self, kind: str, *parts: str) -> Path:
        """Where a unit's file lies, for example ``path("samples", "baseline", "p0000-b00000")``."""
        *folders, stem = (_file_name(part) for part in parts)
        return self.folder.joinpath(kind, *folders, f"{stem}.parquet")

    def write_samples(
        self,
        sampler: str,
        unit: Unit,
        images: NDArray[np.uint8],
        prompt: str,
        assignment: Sequence[str | None],
    ) -> None:
        """Store the pictures (n, h, w, 3) of a unit as PNG in Parquet."""
        name = f"{sampler}-{unit.name}"
        rows = [
            {"bytes": png(image), "path": f"{name}-{index:05d}.png"}
            for image, index in zip(images, unit.indices, strict=True)
        ]
        columns = {
            "image": rows,
            "prompt": [prompt] * len(rows),
            "index": list(unit.indices),
            "assignment": list(assignment),
        }
        write_parquet(self.path("samples", sampler, unit.name), pa.table(columns, schema=_SAMPLES))

    def read_samples(self, sampler: str, unit: Unit) -> pd.DataFrame:
        """The stored table of a unit; column image holds ``{"bytes", "path"}``."""
        table: pd.DataFrame = read_parquet(self.path("samples", sampler, unit.name)).to_pandas()
        return table

    def write_references(
        self, sampler: str, unit: Unit, names: Sequence[str], prompts: Sequence[str | None]
    ) -> None:
        """Store a unit of pictures that stay where they are: names only."""
        columns = {
            "image": [{"bytes": None, "path": name} for name in names],
            "prompt": list(prompts),
            "index": list(unit.indices),
            "assignment": [None] * len(names),
        }
        write_parquet(self.path("samples", sampler, unit.name), pa.table(columns, schema=_SAMPLES))

    def write_table(self, path: Path, table: pd.DataFrame) -> None:
        """Store a table of labels or features.

        The type of a column follows from its name, not from what a unit happens to hold: a unit
        without any label must fit the units that have some.
        """
        schema = pa.schema([(str(name), type_of(str(name))) for name in table.columns])
        write_parquet(path, pa.Table.from_pandas(table, schema=schema, preserve_index=False))

    def write_cost(
        self,
        sampler: str,
        unit: Unit,
        evaluations: int,
        seconds: float,
        peak: tuple[int, str] | None = None,
    ) -> None:
        """Store what a unit cost; kept apart from the samples, which are the same on every run."""
        cost: dict[str, float | str] = {
            "images": len(unit.indices),
            "evaluations": evaluations,
            "seconds": round(seconds, 4),
        }
        if peak is not None:
            cost |= {"peak_bytes": peak[0], "peak_of": peak[1]}
        path = self.path("costs", sampler, unit.name).with_suffix(".json")
        write(path, (json.dumps(cost) + "\n").encode())

    def read_costs(self, sampler: str) -> list[dict[str, Any]]:
        """What every unit of a sampler cost; `UsageError` names a file that is damaged."""
        folder = self.path("costs", sampler, "any").parent
        return [_read_cost(path) for path in sorted(folder.glob("*.json"))]

    def read_unit(self, kind: str, unit: Unit, *folders: str) -> pd.DataFrame:
        """One stored unit of labels or features."""
        table: pd.DataFrame = read_parquet(self.path(kind, *folders, unit.name)).to_pandas()
        return table

    def stored(self, kind: str, *folders: str) -> list[str]:
        """Names of the stored units of a kind, sorted: ``stored("samples", sampler)``."""
        folder = self.path(kind, *folders, "any").parent
        return sorted(path.stem for path in folder.glob("*.parquet"))

    def read_stored(self, kind: str, *parts: str) -> pd.DataFrame:
        """One of them: ``read_stored("samples", sampler, name)``."""
        table: pd.DataFrame = read_parquet(self.path(kind, *parts)).to_pandas()
        return table

    def rows(self, kind: str, *parts: str) -> int:
        """How many rows one of them has."""
        return int(read_parquet(self.path(kind, *parts), columns=[]).num_rows)

    def read_all(self, kind: str, *folders: str) -> pd.DataFrame:
        """All stored units of a kind, for example ``read_all("labels", classifier, sampler)``."""
        folder = self.path(kind, *folders, "any").parent
        tables = [read_parquet(path) for path in sorted(folder.glob("*.parquet"))]
        whole: pd.DataFrame = pa.concat_tables(tables).to_pandas()
        return whole

    def each(self, kind: str, *folders: str) -> Iterator[pd.DataFrame]:
        """The same, unit by unit: for what is too large to be in memory at once."""
        for name in self.stored(kind, *folders):
            yield self.read_stored(kind, *folders, name)

    def read_columns(self, kind: str, columns: Sequence[str], *folders: str) -> pd.DataFrame:
        """The same, of some columns only: pictures stay on the disk."""
        folder = self.path(kind, *folders, "any").parent
        tables = [read_parquet(path, list(columns)) for path in sorted(folder.glob("*.parquet"))]
        whole: pd.DataFrame = pa.concat_tables(tables).to_pandas()
        return whole


def type_of(column: str) -> pa.DataType:
    """The type of a stored column, which follows from its name."""
    if column == "index":
        return pa.int64()
    if column == "distance":
        return pa.float64()
    if column == "feature":
        return pa.list_(pa.float32())
    return pa.float32() if ".p." in column else pa.string()


def _file_name(name: str) -> str:
    """A name as that of a file. Names that would become the same, such as two paths, are told apart."""
    plain = re.sub(r"[^\w.-]|^\.+", "-", name)
    if plain == name.replace(":", "-") and len(plain) <= _LONGEST:
        return plain
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{plain[:_LONGEST]}-{digest}"


def png(image: NDArray[np.uint8]) -> bytes:
    """PNG bytes of a picture (h, w, 3)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()


def pixels(encoded: bytes) -> NDArray[np.uint8]:
    """The picture (h, w, 3) of PNG bytes."""
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a Parquet file, complete or not at all."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write(path, buffer.getvalue())


def read_parquet(path: Path, columns: list[str] | None = None) -> pa.Table:
    """Read a file of a run.

    Raises
    ------
    UsageError
        If something other than this package has damaged it.
    """
    try:
        return pq.read_table(path, columns=columns)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk, not of what is in the file
        raise UsageError(
            f"{path} is damaged; remove it, and the command that made it makes it again"
        ) from error


def _read_cost(path: Path) -> dict[str, Any]:
    try:
        cost: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        whole = cost["images"] > 0 and cost["evaluations"] >= 0 and cost["seconds"] >= 0
    except (ValueError, LookupError, TypeError):
        whole = False
    if not whole:
        raise UsageError(f"{path} is damaged; remove it, and costs are those of the other units")
    return cost


def write(path: Path, content: bytes) -> None:
    """Write a file, complete or not at all: aside, fsync, rename."""
    make_folder(path.parent)
    aside = path.with_name(path.name + ".part")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def read_manifest(path: Path) -> dict[str, Any]:
    """The content of manifest.json."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"cannot read {path}: {reason_of(error)}; start the run in a new directory"
        ) from error
    return content


def _brief(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:77]}..."
