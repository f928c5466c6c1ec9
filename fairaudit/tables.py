"""A table of labels that someone already has, as what is audited: no image is needed."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from fairaudit.errors import UsageError
from fairaudit.labelling import LABELLED
from fairaudit.pictures import is_pictures
from fairaudit.pictures.places import is_url, read_place, without_query
from fairaudit.plan import IMAGES

RESERVED = ("image", "prompt", "sampler", "index", "outcome", "reason")
SUFFIXES = (".csv", ".parquet")
NO_LABEL = "unlabelled"
"""Outcome of a row without a value, where the table does not name one."""


def is_label_table(name: str) -> bool:
    """Whether a source is a table of labels, here or at a URL."""
    there = is_url(name) or Path(name).is_file()
    return there and without_query(name).lower().endswith(SUFFIXES) and not is_pictures(name)


def read_table(path: Path | str) -> pd.DataFrame:
    """The table as it is, every cell of a CSV as text.

    Raises
    ------
    UsageError
        If the file is no table, or has no rows.
    """
    content = io.BytesIO(read_place(str(path)))
    try:
        if without_query(str(path)).lower().endswith(".parquet"):
            table = pd.read_parquet(content)
        else:
            table = pd.read_csv(content, dtype=str, keep_default_na=False, na_values=[""])
    except Exception as error:  # readers of two formats raise anything on hostile bytes
        raise UsageError(f"cannot read {path} as a table: {' '.join(str(error).split())}") from error
    if not len(table):
        raise UsageError(f"{path} has no rows")
    return table


def table_fingerprint(path: Path | str) -> dict[str, str | int]:
    """What a table holds: number of rows, and the sha256 of its file."""
    return {"rows": len(read_table(path)), "sha256": sha256(read_place(str(path))).hexdigest()}


def label_tables(
    path: Path | str, attributes: Mapping[str, Sequence[str]]
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The labels of each sampler in the form in which a run stores them, and the prompts in order.

    Parameters
    ----------
    path
        CSV or Parquet with one row an image. ``image``, ``prompt``, ``sampler``, ``index``,
        ``outcome`` and ``ATTRIBUTE.p.VALUE`` are optional; each attribute has a column.
    attributes
        Declared values of every attribute.

    Raises
    ------
    UsageError
        If a column is missing, or holds what is not declared; the message names the first such row.
    """
    for name in attributes:
        if name in RESERVED:
            raise UsageError(f"an attribute cannot be called {name!r}: that column says something else")
    table = read_table(path)
    rows = pd.DataFrame(index=table.index)
    rows["image"] = _text(table, "image").fillna(pd.Series(table.index, dtype=str))
    rows["prompt"] = _text(table, "prompt")
    rows["sampler"] = _text(table, "sampler").fillna(IMAGES)
    rows["outcome"] = _text(table, "outcome")
    rows["reason"] = _text(table, "reason")
    for name, values in attributes.items():
        rows[name] = _values(path, table, name, values)
        for column, numbers in _probabilities(path, table, name, values).items():
            rows[column] = numbers
    missing = rows[list(attributes)].isna().all(axis=1)
    rows["outcome"] = rows["outcome"].where(rows["outcome"].notna(), np.where(missing, NO_LABEL, LABELLED))
    unusable = rows["outcome"] != LABELLED
    rows.loc[unusable, list(attributes)] = None
    rows["index"] = _index(path, table, rows)
    prompts = [prompt for prompt in rows["prompt"].unique() if isinstance(prompt, str)]
    if len(prompts) > 0 and rows["prompt"].isna().any():
        raise UsageError(f"{path}: some rows have a prompt and some have none")
    names = list(dict.fromkeys(rows["sampler"]))
    return {
        name: rows[rows["sampler"] == name].drop(columns="sampler").reset_index(drop=True) for name in names
    }, prompts


def prompts_of(path: Path | str) -> list[str]:
    """The prompts that a table names, in the order they occur."""
    return list(dict.fromkeys(_text(read_table(path), "prompt").dropna()))


def has_pairs(path: Path | str) -> bool:
    """Whether the table says by ``index`` which images of two samplers belong together."""
    return "index" in read_table(path).columns


def check_probabilities(
    path: Path | str, labels: Mapping[str, pd.DataFrame], attributes: Mapping[str, Sequence[str]]
) -> None:
    """Raise `UsageError` if an attribute has no probabilities, which a threshold needs."""
    for name, values in attributes.items():
        column = f"{name}.p.{values[0]}"
        if any(column not in table.columns for table in labels.values()):
            raise UsageError(f"--threshold needs probabilities of {name}: {path} has no column {column!r}")


def _text(table: pd.DataFrame, name: str) -> pd.Series[str]:
    if name not in table.columns:
        return pd.Series([None] * len(table), index=table.index, dtype=object)
    both = zip(table[name], table[name].isna(), strict=True)
    return pd.Series(
        [None if missing else str(cell) for cell, missing in both], index=table.index, dtype=object
    )


def _values(path: Path | str, table: pd.DataFrame, name: str, values: Sequence[str]) -> pd.Series[str]:
    if name not in table.columns:
        raise UsageError(
            f"{path} has no column {name!r} (columns: {', '.join(map(str, table.columns))}); "
            "name the attribute with --attribute"
        )
    column = _text(table, name)
    for row, value in column.items():
        if value is not None and value not in values:
            raise UsageError(
                f"{path}: row {int(str(row)) + 1} has {name} {value!r}, which is not one of "
                f"{', '.join(values)}; an image without a usable face has an empty cell"
            )
    return column


def _probabilities(
    path: Path | str, table: pd.DataFrame, name: str, values: Sequence[str]
) -> dict[str, pd.Series[float]]:
    columns = [f"{name}.p.{value}" for value in values]
    if not any(column in table.columns for column in columns):
        return {}
    if absent := [column for column in columns if column not in table.columns]:
        raise UsageError(f"{path} has probabilities of {name}, but no column {absent[0]!r}")
    try:
        numbers = table[columns].astype(np.float64)
    except ValueError as error:
        raise UsageError(f"{path}: a probability of {name} is not a number ({error})") from error
    labelled = table[name].notna().to_numpy()
    given = numbers.to_numpy()
    right = np.isfinite(given).all(1) & (given >= 0).all(1) & (np.abs(given.sum(1) - 1) < 0.01)
    # An image without a label may have no probabilities; one that has some must have all.
    wrong = ~right & (labelled | np.isfinite(given).any(1))
    if wrong.any():
        row = int(wrong.argmax()) + 1
        raise UsageError(f"{path}: row {row} has probabilities of {name} that are not shares of 1")
    return {column: numbers[column].astype(np.float32) for column in columns}


def _index(path: Path | str, table: pd.DataFrame, rows: pd.DataFrame) -> pd.Series[int]:
    groups = rows.assign(prompt=rows["prompt"].fillna("")).groupby(["sampler", "prompt"], sort=False)
    if "index" not in table.columns:
        return groups.cumcount().astype(np.int64)
    try:
        index = table["index"].astype(np.int64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: column 'index' holds what is no whole number") from error
    repeated = pd.DataFrame({"s": rows["sampler"], "p": rows["prompt"].fillna(""), "i": index}).duplicated()
    if repeated.any():
        raise UsageError(
            f"{path}: row {int(repeated.to_numpy().argmax()) + 1} repeats an index of its prompt"
        )
    return index
