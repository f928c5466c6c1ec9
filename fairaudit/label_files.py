"""Label tables of pictures that are there already, written as they are read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fairaudit.errors import ImageError, UsageError
from fairaudit.gathering import BLOCK
from fairaudit.labelling import Classifier
from fairaudit.pictures import Collection, Entry
from fairaudit.progress import Bars
from fairaudit.reading import UNREADABLE, Eyes, label_table, look_at, read_faces
from fairaudit.store import type_of
from fairaudit.tables import SUFFIXES

_GROUP = 64
"""Blocks that one row group of a Parquet file holds."""


class LabelFile:
    """A CSV or Parquet file that grows block by block, and is there only once it is complete."""

    def __init__(self, path: Path) -> None:
        if not path.name.lower().endswith(SUFFIXES):
            raise UsageError(f"{path} is no name for a table of labels: it ends in {' or '.join(SUFFIXES)}")
        self.path = path
        self._aside = path.with_name(path.name + ".part")
        self._blocks: list[pd.DataFrame] = []
        self._writer: pq.ParquetWriter | None = None
        self._begun = False

    def __enter__(self) -> LabelFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._aside.unlink(missing_ok=True)
        return self

    def write(self, table: pd.DataFrame) -> None:
        """Add rows; all calls bring the same columns."""
        self._blocks.append(table)
        if len(self._blocks) == _GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._blocks:
            return
        table = pd.concat(self._blocks, ignore_index=True)
        self._blocks.clear()
        if self.path.suffix.lower() == ".csv":
            table.to_csv(self._aside, mode="a", header=not self._begun, index=False, lineterminator="\n")
        else:
            schema = pa.schema([(str(name), type_of(str(name))) for name in table.columns])
            self._writer = self._writer or pq.ParquetWriter(self._aside, schema, compression="zstd")
            self._writer.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False))
        self._begun = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            if self._writer is not None:
                self._writer.close()
            if kind is not None:
                self._aside.unlink(missing_ok=True)
        if kind is None:
            os.replace(self._aside, self.path)


@dataclass
class Counts:
    """What a classifier has read so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    values: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, table: pd.DataFrame, classifier: Classifier) -> None:
        """Count the rows of a label table."""
        self.outcomes.update(table["outcome"])
        for name, values in classifier.values.items():
            found = self.values.setdefault(name, Counter(dict.fromkeys(values, 0)))
            found.update(table[name].dropna())


def write_labels(collection: Collection, eyes: Eyes, files: list[LabelFile], bars: Bars) -> list[Counts]:
    """Label all pictures of a collection, one file and count for each classifier.

    Raises
    ------
    ImageError
        If none is readable; no file is left then.
    """
    counts = [Counts() for _ in files]
    bar = bars.stage("labelling", len(collection.entries))
    for entries in _blocks(collection):
        images: list[dict[str, str | None]] = [{"bytes": None, "path": entry.name} for entry in entries]
        seen = look_at(images, eyes.finder, collection.read)
        samples = _samples(entries, images)
        for classifier, file, count in zip(eyes.classifiers, files, counts, strict=True):
            reading = read_faces(classifier, seen, eyes.finder)
            table = _with_sampler(label_table(samples, seen, reading, classifier), entries)
            file.write(table)
            count.add(table, classifier)
        bar.advance(len(entries))
    if set(counts[0].outcomes) == {UNREADABLE}:
        raise ImageError(
            f"none of the {len(collection.entries)} files of {collection.name} is a readable picture"
        )
    return counts


def _blocks(collection: Collection) -> Iterator[list[Entry]]:
    entries = iter(collection.entries)
    while some := list(islice(entries, BLOCK)):
        yield some


def _samples(entries: list[Entry], images: list[dict[str, str | None]]) -> pd.DataFrame:
    """The entries as a run stores them."""
    prompts, indices = [entry.prompt for entry in entries], [entry.index for entry in entries]
    return pd.DataFrame({"image": pd.Series(images), "prompt": prompts, "index": indices})


def _with_sampler(table: pd.DataFrame, entries: list[Entry]) -> pd.DataFrame:
    """The table with the columns that say something of these pictures, and no others."""
    if entries[0].sampler is None:
        table = table.drop(columns="index")  # it would say that images of samplers belong together
    else:
        table.insert(2, "sampler", [entry.sampler for entry in entries])
    return table if entries[0].prompt is not None else table.drop(columns="prompt")
