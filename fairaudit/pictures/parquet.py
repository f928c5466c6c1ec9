"""Pictures in Parquet files, as Hugging Face datasets stores them; and those of a run of fairaudit."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

from fairaudit.errors import ImageError
from fairaudit.pictures.captions import MAX_CAPTION, field_of
from fairaudit.pictures.collection import MAX_BYTES, Found, Listing, is_text, printable, read_picture
from fairaudit.pictures.nearby import Nearby
from fairaudit.pictures.pages import MAX_PAGE, largest_page
from fairaudit.pictures.places import File, Place

_ROWS = 16
_NAMES_AT_ONCE = 4096
_AT_ONCE = 16 * 2**20
"""Pictures, and names and prompts, that are decoded at once: as many rows, and no more than so many bytes."""
_MAX_NAME = 4096
_TOO_LARGE = f"a page of its row group has more than {MAX_PAGE // 2**20} MiB; write smaller groups".encode()
"""Stands for the pictures of a row group that is not read."""
_NAMES = ("image", "img", "picture", "jpg", "png", "bytes")


@dataclass(frozen=True)
class _Part:
    """A Parquet file of a collection; its rows are numbered on from `begin`.

    Attributes
    ----------
    column
        The column of bytes, by its path in the schema.
    """

    file: str
    begin: int
    rows: int
    column: str
    nested: bool


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
                if 0 < file.size < table.metadata.num_rows:
                    listing.skip(name, f"more rows than bytes ({table.metadata.num_rows:,})")
                    return
                yield from self._take(file, opened, table, column, run=run)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
            if not file.name:
                raise ImageError(f"{name} is a broken Parquet file ({_brief(error)})") from error
            listing.skip(name, f"broken ({_brief(error)})")

    def _take(self, file: File, opened: BinaryIO, table: Any, column: str, *, run: bool) -> Iterator[Found]:
        import pyarrow as pa

        schema = table.schema_arrow
        nested = _is_struct(schema.field(column).type)
        prompt = field_of([one.name for one in schema if not pa.types.is_nested(one.type)])
        begin = self._parts[-1].begin + self._parts[-1].rows if self._parts else 0
        own = f"{column}.bytes" if nested else column
        self._parts.append(_Part(file.name, begin, table.metadata.num_rows, own, nested))
        sampler = file.name.split("/")[1] if run else None
        wanted = [prompt] if prompt else []
        wanted += ["index"] if run and "index" in schema.names else []
        pathed = nested and any(c.name == "path" and c.type == pa.string() for c in schema.field(column).type)
        wanted += [f"{column}.path"] if pathed else []
        for row, cells in enumerate(_cells(opened, table, wanted), start=begin):
            picture = (cells[column] or {}).get("path") if pathed else None
            text = cells[prompt] if prompt else None
            yield Found(
                self._named(picture, file.name, row, begin),
                f"{file.mark}\0{row - begin}",
                None if text is None or len(str(text)) > MAX_CAPTION else sys.intern(str(text)),
                sampler,
                cells.get("index"),
            )

    def _named(self, path: str | None, file: str, row: int, begin: int) -> str:
        """The picture's own name if it has one that no other has, else its row's."""
        own = path is not None and 0 < len(path) <= _MAX_NAME and is_text(path) and path not in self._rows
        name = path if own and path else f"{file}#{row - begin}"
        self._rows[name] = row
        return name

    def _from(self, row: int) -> Iterator[tuple[int, bytes]]:
        """The pictures from those of a row's group on; a cell without one gives no bytes."""
        for part in self._parts[bisect_right(self._begins, row) - 1 :]:
            with self._place.open(part.file) as opened:
                table = _table_of(opened)
                begin = part.begin
                for group in range(table.num_row_groups):
                    end = begin + table.metadata.row_group(group).num_rows
                    if row < end:
                        pictures = _pictures(opened, table, group, part)
                        yield from zip(range(begin, end), pictures, strict=False)
                    begin = end

    def read(self, name: str) -> bytes:
        """The file of a picture."""
        try:
            content = self._nearby(self._rows[name])
        except (OSError, ValueError, EOFError) as error:
            raise ImageError(f"not readable ({_brief(error)})") from error
        if not content:
            raise ImageError("no bytes in its row")
        if content is _TOO_LARGE:
            raise ImageError(f"too large ({content.decode()})")
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


def _cells(opened: BinaryIO, table: Any, columns: list[str]) -> Iterator[dict[str, Any]]:
    """What some columns hold, row by row; nothing of a row where there is no column."""
    for number in range(table.num_row_groups):
        group = table.metadata.row_group(number)
        if not columns:
            yield from ({} for _ in range(group.num_rows))
            continue
        if (largest := largest_page(opened, group, columns)) > MAX_PAGE:
            raise ValueError(f"a page of {', '.join(columns)} is too large")
        rows = _at_once(largest, _NAMES_AT_ONCE)
        for batch in table.iter_batches(rows, row_groups=[number], columns=columns, use_threads=False):
            yield from batch.to_pylist()


def _pictures(opened: BinaryIO, table: Any, number: int, part: _Part) -> Iterator[bytes]:
    """The pictures of a row group; a cell without one gives no bytes."""
    group = table.metadata.row_group(number)
    if (largest := largest_page(opened, group, [part.column])) > MAX_PAGE:
        yield from (_TOO_LARGE for _ in range(group.num_rows))
        return
    rows = _at_once(largest, _ROWS)
    for batch in table.iter_batches(rows, row_groups=[number], columns=[part.column], use_threads=False):
        cells = batch.column(0)
        for cell in cells.field("bytes") if part.nested else cells:
            content = cell.as_buffer()
            yield b"" if content is None else read_picture(BytesIO(content), MAX_BYTES + 1)


def _is_struct(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_struct(kind))


def _table_of(opened: Any) -> Any:
    """A Parquet file that is read piece by piece, not a group of rows at once."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(opened, buffer_size=2**20, pre_buffer=False)


def _at_once(largest: int, most: int) -> int:
    """Rows that are decoded at once: each may hold, or repeat, as much as the largest page (bytes)."""
    return min(most, max(1, _AT_ONCE // max(largest, 1)))


def _brief(error: Exception) -> str:
    return printable(" ".join(str(error).split()))[:160] or type(error).__name__
