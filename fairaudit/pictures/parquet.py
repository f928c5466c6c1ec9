"""Pictures in Parquet files, as Hugging Face datasets stores them; and those of a run of fairaudit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from fairaudit.errors import ImageError
from fairaudit.pictures.captions import field_of
from fairaudit.pictures.collection import MAX_BYTES, Found, Listing, is_text, printable, read_picture
from fairaudit.pictures.nearby import Nearby
from fairaudit.pictures.places import File, Place

_ROWS = 16
"""Rows that are decoded at once, where a whole group of rows fits into `_AT_ONCE`; else it is one, because
each may hold a picture of many megabytes."""
_AT_ONCE = 4 * MAX_BYTES
_NAMES = ("image", "img", "picture", "jpg", "png", "bytes")


@dataclass(frozen=True)
class _Part:
    """A Parquet file of a collection; its rows are numbered on from `begin`.

    Attributes
    ----------
    column
        The column of bytes, by its path in the schema.
    batch
        Rows that are decoded at once.
    """

    file: str
    begin: int
    rows: int
    column: str
    nested: bool
    batch: int


class ParquetCollection:
    """The pictures of Parquet files, with prompts from a column ``prompt``, ``text`` or ``caption``.

    Parameters
    ----------
    files
        Files below the place; one that is called "" is the place itself.
    run
        Whether they are those of a run: the folder of a file is its sampler, and pictures of equal
        prompt and index were made from the same noise.
    """

    def __init__(self, place: Place, files: Sequence[File], *, run: bool = False) -> None:
        self.name, self._place = place.name, place
        self._parts: list[_Part] = []
        self._rows: dict[str, int] = {}
        listing = Listing(place.name)
        found: list[Found] = []
        for file in files:
            found += self._part(file, listing, run=run)
        listing.keep(found)
        self.entries, self.skipped, self.fingerprint = listing.entries(), listing.skipped, listing.fingerprint
        self._begins = [part.begin for part in self._parts]
        self._nearby = Nearby(self._from, far=4 * _ROWS)

    def _part(self, file: File, listing: Listing, *, run: bool) -> Iterator[Found]:
        name = file.name or self.name
        if not file.name.endswith(".parquet") and file.name:
            listing.skip(name, "not an image file")
            return
        try:
            with self._place.open(file.name) as opened:
                table = _table_of(opened)
                column = image_column(table.schema_arrow)
                if column is None:
                    listing.skip(name, "no column of pictures")
                    return
                yield from self._take(file, table, column, run=run)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
            if not file.name:
                raise ImageError(f"{name} is a broken Parquet file ({_brief(error)})") from error
            listing.skip(name, f"broken ({_brief(error)})")

    def _take(self, file: File, table: Any, column: str, *, run: bool) -> Iterator[Found]:
        schema = table.schema_arrow
        nested = _is_struct(schema.field(column).type)
        prompt = field_of(schema.names)
        wanted = [prompt] if prompt else []
        wanted += ["index"] if run and "index" in schema.names else []
        pathed = nested and "path" in [child.name for child in schema.field(column).type]
        wanted += [f"{column}.path"] if pathed else []
        begin = self._parts[-1].begin + self._parts[-1].rows if self._parts else 0
        own = f"{column}.bytes" if nested else column
        self._parts.append(
            _Part(file.name, begin, table.metadata.num_rows, own, nested, _batch_of(table.metadata, own))
        )
        sampler = file.name.split("/")[1] if run else None
        row = begin
        for batch in table.iter_batches(4096, columns=wanted):
            cells = batch.to_pydict() if wanted else {}
            for number in range(batch.num_rows if wanted else 0):
                picture = (cells[column][number] or {}).get("path") if pathed else None
                text = cells[prompt][number] if prompt else None
                yield Found(
                    self._named(picture, file.name, row, begin),
                    f"{file.mark}\0{row - begin}",
                    None if text is None else str(text),
                    sampler,
                    cells["index"][number] if "index" in cells else None,
                )
                row += 1
        while row < begin + table.metadata.num_rows:  # no column but the pictures'
            yield Found(
                self._named(None, file.name, row, begin), f"{file.mark}\0{row - begin}", None, sampler
            )
            row += 1

    def _named(self, path: str | None, file: str, row: int, begin: int) -> str:
        """The picture's own name if it has one that no other has, else its row's."""
        name = path if path and is_text(path) and path not in self._rows else f"{file}#{row - begin}"
        self._rows[name] = row
        return name

    def _from(self, row: int) -> Iterator[tuple[int, bytes]]:
        """The pictures from those of a row's group on; a cell without one gives no bytes."""
        for part in self._parts[bisect_right(self._begins, row) - 1 :]:
            with self._place.open(part.file) as opened:
                table = _table_of(opened)
                group, at = _group_of(table, row - part.begin)
                at += part.begin
                groups = list(range(group, table.num_row_groups))
                for batch in table.iter_batches(
                    part.batch, row_groups=groups, columns=[part.column], use_threads=False
                ):
                    cells = batch.column(0)
                    cells = cells.field("bytes") if part.nested else cells
                    for cell in cells:
                        yield at, _picture(cell)
                        at += 1

    def read(self, name: str) -> bytes:
        """The file of a picture."""
        try:
            content = self._nearby(self._rows[name])
        except (OSError, ValueError, EOFError) as error:
            raise ImageError(f"not readable ({_brief(error)})") from error
        if not content:
            raise ImageError("no bytes in its row")
        if len(content) > MAX_BYTES:
            raise ImageError(f"too large (more than {MAX_BYTES // 2**20} MiB)")
        return content


def image_column(schema: Any) -> str | None:
    """The column that holds pictures: a struct with bytes, or a plain column of bytes."""
    import pyarrow as pa

    binary = (pa.binary(), pa.large_binary())
    for field in schema:
        if _is_struct(field.type) and any(c.name == "bytes" and c.type in binary for c in field.type):
            return str(field.name)
    plain = [field.name for field in schema if field.type in binary]
    return next((name for name in _NAMES if name in plain), None)


def _picture(cell: Any) -> bytes:
    content = cell.as_buffer()
    return b"" if content is None else read_picture(BytesIO(content), MAX_BYTES + 1)


def _is_struct(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_struct(kind))


def _table_of(opened: Any) -> Any:
    """A Parquet file that is read piece by piece, not a group of rows at once."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(opened, buffer_size=2**20, pre_buffer=False)


def _batch_of(metadata: Any, column: str) -> int:
    """How many rows of a Parquet file may be decoded at once, by the largest of its groups."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    sizes = [chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema == column]
    return _ROWS if max(sizes, default=0) <= _AT_ONCE else 1


def _group_of(table: Any, row: int) -> tuple[int, int]:
    """The row group that a row is in, and the group's first row."""
    first = 0
    for group in range(table.num_row_groups):
        rows = table.metadata.row_group(group).num_rows
        if row < first + rows:
            return group, first
        first += rows
    return 0, 0


def _brief(error: Exception) -> str:
    return printable(" ".join(str(error).split()))[:160] or type(error).__name__
