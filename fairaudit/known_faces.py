"""Pictures whose true values are known, to calibrate a classifier on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.ahead import Fetch
from fairaudit.errors import UsageError
from fairaudit.tables import read_table

LABELS = "labels.csv"
FILE_COLUMNS = ("file", "image", "file_name", "path")
BATCH = 64


@dataclass(frozen=True)
class KnownFaces:
    """Pictures with their true values.

    Attributes
    ----------
    about
        What they are, in words; no path, because calibrations are handed on.
    names
        (n,) by which `fetch` reads them.
    truth
        By attribute (n,) codes of the declared values; -1 where the true value is not known.
    weights
        By attribute, and by two joined with `` x `` that were drawn alike: (n,) how many pictures of a run
        each stands for, 0 where it was not judged; None where they are of no run.
    """

    about: str
    names: Sequence[str]
    fetch: Fetch
    truth: Mapping[str, NDArray[np.int64]]
    weights: Mapping[str, NDArray[np.float64]] | None = None

    @property
    def of_run(self) -> bool:
        """Whether they are pictures of a run, drawn by fairaudit."""
        return self.weights is not None

    def batches(self) -> Iterator[list[dict[str, Any]]]:
        """The pictures as runs store them, some at a time."""
        for begin in range(0, len(self.names), BATCH):
            yield [{"bytes": None, "path": name} for name in self.names[begin : begin + BATCH]]


def open_known_faces(
    data: Path, values: Mapping[str, Sequence[str]], attributes: Sequence[str]
) -> KnownFaces:
    """The faces of a folder with labels.csv, of a Parquet file, or of a run that people labelled.

    Parameters
    ----------
    values
        What a classifier can say, by attribute.
    attributes
        Those that must be there; empty takes all that are.

    Raises
    ------
    UsageError
        If there are none, an attribute is missing, or a value is not among the classifier's.
    """
    from fairaudit.annotation.known import annotated_faces
    from fairaudit.pictures import open_pictures

    if (data / "plan.yaml").exists():
        return annotated_faces(data, values, attributes)
    if data.suffix.lower() == ".parquet" and data.is_file():
        return _parquet_faces(data, values, attributes)
    path = data / LABELS
    if not path.is_file():
        raise UsageError(
            f"{data} holds no {LABELS}: bring a folder with pictures and {LABELS} (file, gender, race, age), "
            "a Parquet file of pictures with such columns, or a run that was labelled with fairaudit annotate"
        )
    table = read_table(path)
    names = _names(path, table)
    collection = open_pictures(str(data))
    there = {entry.name for entry in collection.entries}
    lost = next((name for name in names if name not in there), None)
    if lost is not None:
        raise UsageError(f"{path} names {lost!r}, which is no picture in {data}")
    truth = true_codes(path, table, values, attributes)
    return KnownFaces(f"{len(names)} pictures of {data.resolve().name}", names, collection.read, truth)


def _names(path: Path, table: pd.DataFrame) -> list[str]:
    """The column that names the pictures: one called so, or else the first."""
    lower = {str(column).casefold(): column for column in table.columns}
    column = next((lower[name] for name in FILE_COLUMNS if name in lower), table.columns[0])
    names = [str(name) for name in table[column]]
    repeated = pd.Series(names).duplicated()
    if repeated.any():
        raise UsageError(f"{path} names {names[int(repeated.to_numpy().argmax())]!r} twice")
    return names


def _parquet_faces(path: Path, values: Mapping[str, Sequence[str]], attributes: Sequence[str]) -> KnownFaces:
    import pyarrow.parquet as pq

    from fairaudit.pictures import open_pictures

    collection = open_pictures(str(path))
    schema = pq.read_schema(path)
    wanted = [name for name in schema.names if name.casefold() in {key.casefold() for key in values}]
    table: pd.DataFrame = pq.read_table(path, columns=wanted).to_pandas()
    names = [entry.name for entry in collection.entries]
    if len(names) != len(table):
        raise UsageError(f"{path}: some of its {len(table)} rows hold no usable picture")
    truth = true_codes(path, _spelt_out(table, schema.metadata or {}), values, attributes)
    return KnownFaces(f"{len(names)} pictures of {path.name}", names, collection.read, truth)


def _spelt_out(table: pd.DataFrame, metadata: Mapping[bytes, bytes]) -> pd.DataFrame:
    """A table whose class numbers are replaced by the names that Hugging Face datasets stores of them."""
    import json

    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return table
    named = {c: f["names"] for c, f in features.items() if isinstance(f, dict) and "names" in f}
    spelt = table.copy()
    for column, names in named.items():
        if column in table:
            spelt[column] = [dict(enumerate(names)).get(code) for code in table[column].fillna(-1)]
    return spelt


def true_codes(
    where: Path, table: pd.DataFrame, values: Mapping[str, Sequence[str]], attributes: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """By attribute, codes of the values in a table whose spelling may differ in case; -1 for empty cells."""
    columns = {str(column).casefold(): column for column in table.columns}
    for name in attributes:
        if name.casefold() not in columns:
            raise UsageError(
                f"{where} has no column {name!r} (columns: {', '.join(map(str, table.columns))})"
            )
    wanted = attributes or [name for name in values if name.casefold() in columns]
    if not wanted:
        raise UsageError(f"{where} has no column of {', '.join(values)}")
    return {name: _codes(where, name, table[columns[name.casefold()]], values[name]) for name in wanted}


def _codes(where: Path, name: str, column: pd.Series[Any], values: Sequence[str]) -> NDArray[np.int64]:
    known = {_plain(value): code for code, value in enumerate(values)}
    codes = np.full(len(column), -1, dtype=np.int64)
    for row, (cell, missing) in enumerate(zip(column, column.isna(), strict=True)):
        if missing or not str(cell).strip():
            continue
        code = known.get(_plain(str(cell)))
        if code is None:
            raise UsageError(
                f"{where}: row {row + 1} has {name} {cell!r}, which is not one of {', '.join(values)}"
            )
        codes[row] = code
    return codes


def _plain(value: str) -> str:
    """A value without what spellings differ in."""
    return value.strip().casefold().replace("_", " ")
