"""Tables of labels are complete or absent, and nobody's overwrites another's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from fairaudit.errors import UsageError
from fairaudit.label_files import LabelFile, tables_of
from tests.pictures.kinds import encoded, noise, store

Fairaudit = Callable[..., int]
ROWS = pd.DataFrame({"image": ["a.png"], "gender": ["female"], "gender.p.female": [0.9]})
ENDINGS = ("csv", "parquet")


def test_classifiers_of_equal_short_names_have_tables_of_their_own(tmp_path: Path) -> None:
    asked = ["builtin:faces64-classifier", "hf:a/m", "hf:b/m", "hf:c/m", "hf:c/n"]
    paths = [table.path for table in tables_of(tmp_path / "labels.csv", asked)]
    assert paths[0].name == "labels.csv"
    assert paths[1].name == "labels-m.csv"
    assert len({path.name.lower() for path in paths}) == len(asked)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("folder", "is a folder"),
        ("folder.csv", "is a folder"),
        ("file.txt/labels.csv", "Not a directory"),
        ("file.txt/deep/labels.csv", "Not a directory"),
        ("new/" + "x" * 250 + ".csv", "File name too long"),
        pytest.param(
            "/proc/new/labels.csv",
            "No such file",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="/proc"),
        ),
    ],
)
def test_a_table_that_cannot_be_written_is_refused_before_anything_is_read(
    out: str,
    words: str,
    fairaudit: Fairaudit,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = store("folder", {"a.png": encoded(noise(0))}, tmp_path / "in")
    for name in ("folder", "folder.csv"):
        (tmp_path / name).mkdir()
    (tmp_path / "file.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(
        "fairaudit.pictures.open_pictures", lambda *_, **__: pytest.fail("looked at pictures")
    )
    monkeypatch.setattr("fairaudit.instruments.open_classifiers", lambda *_: pytest.fail("loaded weights"))
    assert fairaudit("label", source, "--out", tmp_path / out, "--quiet") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("failure", [KeyboardInterrupt, MemoryError, OSError])
def test_a_table_that_fails_at_its_very_end_leaves_nothing(
    ending: str, failure: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Iterator[None]:
        raise failure("no more")

    monkeypatch.setattr("fairaudit.label_files.os.replace", fail)
    with (
        pytest.raises(UsageError if failure is OSError else failure),
        LabelFile(tmp_path / "new" / "deep" / f"labels.{ending}") as table,
    ):
        table.write(ROWS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_that_is_not_finished_leaves_the_one_before_as_it_was(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"labels.{ending}"
    with LabelFile(path) as table:
        table.write(ROWS)
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), LabelFile(path) as table:
        _stop_midway(table)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def _stop_midway(table: LabelFile) -> None:
    for _ in range(100):
        table.write(ROWS)
    raise KeyboardInterrupt


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_table_is_on_the_disk_before_it_takes_its_name(
    ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / f"labels.{ending}", []
    fsync = os.fsync

    def watched(number: int) -> None:
        synced.append((path.exists(), os.fstat(number).st_ino, os.fstat(number).st_size))
        fsync(number)

    monkeypatch.setattr("fairaudit.label_files.os.fsync", watched)
    with LabelFile(path) as table:
        table.write(ROWS)
    assert synced == [(False, path.stat().st_ino, path.stat().st_size)]
