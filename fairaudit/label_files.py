"""Label tables of pictures that are there already, written as they are read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path
from types import TracebackType

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fairaudit.entries import apart, short_name
from fairaudit.errors import ImageError, UsageError, reason_of
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
    """A CSV or Parquet file that grows block by block, and is there only once it is complete.

    All its methods raise `UsageError` where it cannot be written, and leave nothing then.
    """

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            raise UsageError(f"{path} is a folder; name a table in it, such as {path / 'labels.csv'}")
        if not path.name.lower().endswith(SUFFIXES):
            raise UsageError(f"{path} is no name for a table of labels: it ends in {' or '.join(SUFFIXES)}")
        self.path = path
        self._aside = path.with_name(path.name + ".part")
        self._made: list[Path] = []
        self._blocks: list[pd.DataFrame] = []
        self._writer: pq.ParquetWriter | None = None
        self._begun = False

    def try_out(self) -> None:
        """Find out whether it can be written."""
        with self._told():
            self._begin()
        self._discard()

    def __enter__(self) -> LabelFile:
        with self._told():
            self._begin()
        return self

    def write(self, table: pd.DataFrame) -> None:
        """Add rows; all calls bring the same columns."""
        self._blocks.append(table)
        if len(self._blocks) == _GROUP:
            with self._told():
                self._flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        with self._told():
            self._flush()
            self._close()
            with self._aside.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(self._aside, self.path)

    def _begin(self) -> None:
        folder = self.path.parent
        self._made = list(takewhile(lambda one: not one.exists(), (folder, *folder.parents)))
        if self._made:
            folder.mkdir(parents=True)
        self._aside.write_bytes(b"")

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

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _discard(self) -> None:
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self._aside.unlink()
        with suppress(OSError):  # another may have put something there since
            for folder in self._made:
                folder.rmdir()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever happens leaves nothing; what the file system says is a sentence."""
        try:
            yield
        except OSError as error:
            self._discard()
            raise UsageError(f"cannot write {self.path}: {reason_of(error)}") from error
        except BaseException:
            self._discard()
            raise


def tables_of(out: Path, classifiers: Sequence[str]) -> list[LabelFile]:
    """The table of each classifier: the first one's is `out`, the others' have their short names in it.

    Classifiers of equal short names, such as those of two organizations, are told apart by a number.

    Raises
    ------
    UsageError
        If one of them is no table's name, or cannot be written.
    """
    names: list[str] = []
    for classifier in classifiers[1:]:
        names.append(apart(short_name(classifier), names))
    tables = [LabelFile(out), *(LabelFile(out.with_stem(f"{out.stem}-{name}")) for name in names)]
    for table in tables:
        table.try_out()
    return tables


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
