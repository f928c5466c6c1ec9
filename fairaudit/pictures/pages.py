"""How large the pages of a Parquet file are before anyone unpacks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

MAX_PAGE = 256 * 2**20
"""Arrow unpacks whole pages, those of dictionaries twice, and a few kilobytes can hold one: row groups with
a larger one (bytes) are left out."""

_DEEPEST = 8
_UNPACKED, _PACKED = 2, 3
"""Fields of a page's header: its sizes without itself (parquet.thrift, struct PageHeader)."""
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_VARINTS = (4, 5, 6)


def largest_page(file: BinaryIO, group: Any, columns: Sequence[str]) -> int:
    """Bytes of the largest page of some columns of a row group, unpacked.

    Parameters
    ----------
    file
        The Parquet file; it is read at other places afterwards.
    group
        Metadata of the row group, by pyarrow.
    columns
        Paths in the schema.

    Raises
    ------
    ValueError
        If headers of pages are broken.
    """
    largest = 0
    for number in range(group.num_columns):
        chunk = group.column(number)
        if chunk.path_in_schema in columns:
            largest = max(largest, _largest_of(file, chunk))
    return largest


def _largest_of(file: BinaryIO, chunk: Any) -> int:
    begins = [chunk.data_page_offset, chunk.dictionary_page_offset]
    at = min(begin for begin in begins if begin)
    end, largest = at + chunk.total_compressed_size, 0
    while at < end:
        file.seek(at)
        sizes = _struct(file)
        unpacked, packed = sizes.get(_UNPACKED, -1), sizes.get(_PACKED, -1)
        if min(unpacked, packed) < 0:
            raise ValueError("a page without a size")
        largest = max(largest, unpacked, packed)
        at = file.tell() + packed
    return largest


def _struct(file: BinaryIO, depth: int = 0) -> dict[int, int]:
    """The whole numbers of a struct in Thrift's compact protocol, by field; all else is passed over."""
    if depth > _DEEPEST:
        raise ValueError("a page's header is too deep")
    found: dict[int, int] = {}
    field = 0
    while kind := _byte(file):
        step, kind = kind >> 4, kind & 15
        field = field + step if step else _signed(file)
        if kind in _VARINTS:
            found[field] = _signed(file)
        elif kind not in (_TRUE, _FALSE):
            _pass(file, kind, depth)
    return found


def _pass(file: BinaryIO, kind: int, depth: int) -> None:
    if kind == _BINARY:
        file.seek(_varint(file), 1)
    elif kind == _STRUCT:
        _struct(file, depth + 1)
    elif kind in (_LIST, _SET):
        head = _byte(file)
        for _ in range(head >> 4 if head >> 4 < 15 else _varint(file)):
            _pass(file, head & 15, depth + 1)
    elif kind in _VARINTS:
        _varint(file)
    elif kind in (_TRUE, _FALSE, _BYTE, _DOUBLE):
        file.seek(8 if kind == _DOUBLE else 1, 1)
    else:
        raise ValueError("a page's header is broken")


def _signed(file: BinaryIO) -> int:
    number = _varint(file)
    return (number >> 1) ^ -(number & 1)


def _varint(file: BinaryIO) -> int:
    number = shift = 0
    while shift < 64:
        byte = _byte(file)
        number |= (byte & 127) << shift
        if byte < 128:
            return number
        shift += 7
    raise ValueError("a page's header is broken")


def _byte(file: BinaryIO) -> int:
    byte = file.read(1)
    if not byte:
        raise ValueError("it ends early")
    return byte[0]
