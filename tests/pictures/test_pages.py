"""Pages of Parquet files: how large they are is known before they are unpacked."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fairaudit.errors import ImageError
from fairaudit.pictures import open_pictures
from fairaudit.pictures.pages import largest_page
from tests.pictures.kinds import encoded, noise, parquet

MIB = 2**20


def largest_in(path: Path) -> int:
    with path.open("rb") as file:
        metadata = pq.ParquetFile(file).metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        return max(largest_page(file, group, ["cells"]) for group in groups)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize(
    ("cells", "options", "size"),
    [
        ([bytes(3 * MIB), b"a", bytes(MIB)], {"use_dictionary": False, "data_page_size": 2**30}, 4 * MIB),
        ([bytes(3 * MIB), b"a", bytes(MIB)], {"use_dictionary": False, "write_batch_size": 1}, 3 * MIB),
        ([bytes(MIB)] * 9, {"use_dictionary": True}, MIB),
        ([None, b"a" * 100, None], {"use_dictionary": True, "write_page_checksum": True}, 100),
    ],
    ids=["one page", "a page each", "dictionary", "nothing"],
)
def test_the_largest_page_is_as_large_as_what_was_written(
    version: Any, compression: str, cells: list[bytes | None], options: Any, size: int, tmp_path: Path
) -> None:
    table, path = pa.table({"other": [bytes(5 * MIB)] * len(cells), "cells": cells}), tmp_path / "a.parquet"
    pq.write_table(table, path, compression=compression, data_page_version=version, **options)
    assert size <= largest_in(path) < size + 100


def test_a_row_group_with_too_large_a_page_is_named_row_by_row_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [(f"{number}.png", encoded(noise(number))) for number in range(9)]
    files[4] = ("4.png", bytes(MIB))
    monkeypatch.setattr("fairaudit.pictures.parquet.MAX_PAGE", MIB // 2)
    collection = open_pictures(str(parquet(tmp_path / "a.parquet", files)))  # row groups of three
    assert len(collection.entries) == 9
    for number in (8, 0, 3, 6, 4, 1, 5, 7, 2):
        if number in (3, 4, 5):
            with pytest.raises(ImageError, match=r"too large \(a page of its row group"):
                collection.read(f"{number}.png")
        else:
            assert collection.read(f"{number}.png") == files[number][1]


def test_broken_headers_of_pages_are_a_reason(tmp_path: Path) -> None:
    """Every byte of the first header, wrong: never an endless loop or another error."""
    path = parquet(tmp_path / "a.parquet", [("a.png", encoded(noise(0)))])
    content = path.read_bytes()
    for at in range(4, 30):
        for wrong in (0, 0x0F, 0x7F, 0x9C, 0xFF):
            path.write_bytes(content[:at] + bytes([wrong]) + content[at + 1 :])
            with contextlib.suppress(ImageError):
                open_pictures(str(path)).read("a.png")


def test_a_prompt_that_fills_the_memory_is_none(tmp_path: Path) -> None:
    files = [(f"{number}.png", encoded(noise(number))) for number in range(3)]
    prompts = ["a nurse", "x" * 100_000, "a nurse"]
    collection = open_pictures(str(parquet(tmp_path / "a.parquet", files, prompt=prompts)))
    assert [entry.prompt for entry in collection.entries] == ["a nurse", "a nurse"]
    assert collection.skipped == {"1.png": "without a prompt, unlike others"}


def test_rows_that_cost_nothing_are_not_counted_one_by_one(tmp_path: Path) -> None:
    """Forty thousand rows name one picture of a dictionary, in less than two kilobytes."""
    path = tmp_path / "a.parquet"
    picture = encoded(noise(0, (4, 4)))
    pq.write_table(pa.table({"image": pa.array([picture] * 40_000, pa.binary())}), path)
    assert path.stat().st_size < 40_000
    with pytest.raises(ImageError, match="more rows than bytes"):
        open_pictures(str(path))
