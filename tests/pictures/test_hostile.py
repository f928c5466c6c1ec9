"""Collections that mean harm, or were made without care: everything is named, nothing is extracted."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fairaudit.errors import ImageError
from fairaudit.pictures import open_pictures
from fairaudit.pictures.collection import MAX_BYTES, first_of_each_kind
from fairaudit.pictures.decoding import decode
from tests.pictures.kinds import encoded, noise, store

PICTURE = encoded(noise(0))
STRANGE = (
    "../../outside.png",
    "/etc/outside.png",
    "C:\\outside.png",
    "<img src=x onerror=alert(1)>.png",
    "new\nline.png",
    "-rf.png",
    "%2e%2e/x.png",
    "Ünï 图片.png",
)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "parquet"])
def test_strange_names_are_names_and_no_paths(kind: str, tmp_path: Path) -> None:
    files = {name: encoded(noise(number)) for number, name in enumerate(STRANGE)}
    path = store(kind, files, tmp_path / "within")
    before = sorted(tmp_path.rglob("*"))
    collection = open_pictures(str(path))
    assert {entry.name: collection.read(entry.name) for entry in collection.entries} == files
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(sys.platform != "linux", reason="names and special files of Linux")
def test_everything_in_a_hostile_folder_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pictures"
    (folder / "sub" / "deep").mkdir(parents=True)
    for name in ("good.png", "sub/good.PNG", "sub/deep/<b>.png", ".hidden.png"):
        (folder / name).write_bytes(PICTURE)
    (folder / ".git").mkdir()
    (folder / ".git" / "a.png").write_bytes(PICTURE)
    (folder / "loop").symlink_to(folder)
    (folder / "round.png").symlink_to(folder / "round.png")
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    (folder / "endless.png").symlink_to("/dev/zero")
    (folder / "linked.png").symlink_to(folder / "good.png")
    os.mkfifo(folder / "waits.png")
    monkeypatch.chdir(folder)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("talks.png")
    (Path(os.fsdecode(os.fsencode(folder) + b"/\xff.png"))).write_bytes(PICTURE)
    for number in range(50):
        (folder / f"empty-{number}.png").touch()
    with (folder / "sparse.png").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    (folder / "notes.txt").write_text("x")
    collection = open_pictures(str(folder))
    assert [entry.name for entry in collection.entries] == [
        "good.png",
        "linked.png",
        "sub/deep/<b>.png",
        "sub/good.PNG",
    ]
    empty = {f"empty-{number}.png": "empty file" for number in range(50)}
    assert collection.skipped == empty | {
        ".hidden.png": "hidden file",
        ".git": "hidden folder",
        "loop": "a link to a folder",
        "round.png": "not a readable file name or link",
        "gone.png": "not a readable file name or link",
        "endless.png": "not a regular file",
        "waits.png": "not a regular file",
        "talks.png": "not a regular file",
        "\\udcff.png": "not a readable file name or link",
        "sparse.png": "too large (64 MiB)",
        "notes.txt": "not an image file",
    }


def test_a_file_that_goes_away_or_is_locked_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(PICTURE)
    collection = open_pictures(str(tmp_path))
    (tmp_path / "a.png").unlink()
    with pytest.raises(ImageError, match="not readable"):
        collection.read("a.png")


def test_members_of_a_zip_that_cannot_be_trusted_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.png", PICTURE)
        archive.writestr("__MACOSX/._good.png", b"x")
        archive.writestr("spoilt.png", PICTURE)
        archive.writestr("locked.png", PICTURE)
        archive.writestr("huge.png", PICTURE)
        archive.writestr("empty.png", b"")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("good.png", b"another")
        archive.writestr("folder/", b"")
        archive.filelist[3].flag_bits |= 1
        archive.filelist[4].file_size = MAX_BYTES + 1
    content = path.read_bytes()
    place = content.index(PICTURE, content.index(b"spoilt.png"))
    path.write_bytes(content[: place + 50] + bytes([content[place + 50] ^ 1]) + content[place + 51 :])
    collection = open_pictures(str(path))
    assert [entry.name for entry in collection.entries] == ["good.png", "spoilt.png"]
    assert collection.skipped == {
        "__MACOSX/._good.png": "hidden file",
        "locked.png": "encrypted",
        "huge.png": "too large (64 MiB)",
        "empty.png": "empty file",
        "good.png": "the same name twice",
    }
    with pytest.raises(ImageError, match="broken"):
        collection.read("spoilt.png")


def test_an_encrypted_archive_is_said_to_be_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", PICTURE)
        archive.filelist[0].flag_bits |= 1
    with pytest.raises(ImageError, match="encrypted"):
        open_pictures(str(tmp_path / "a.zip"))


def test_members_of_a_tar_that_are_no_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("link.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
            ("pipe.png", tarfile.FIFOTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        for name in ("a.png", "a.png", "./b.png", "\udcff.png"):
            member = tarfile.TarInfo(name)
            member.size = len(PICTURE)
            archive.addfile(member, io.BytesIO(PICTURE))
    collection = open_pictures(str(path))
    assert [entry.name for entry in collection.entries] == ["a.png", "b.png"]
    assert collection.skipped == {
        "link.png": "not a regular file",
        "hard.png": "not a regular file",
        "pipe.png": "not a regular file",
        "a.png": "the same name twice",
        "\\udcff.png": "not a readable file name or link",
    }


def test_of_thousands_of_skipped_files_the_first_of_every_kind_are_named() -> None:
    skipped = {f"{number}.png": "empty file" for number in range(10_000)}
    skipped |= {f"{number}.txt": f"broken (at byte {number})" for number in range(3)}
    named = first_of_each_kind(skipped)
    assert len(named) == 103
    assert named["0.png"] == "empty file"
    assert named["2.txt"] == "broken (at byte 2)"


def test_a_picture_that_claims_to_be_huge_is_refused_before_it_is_decoded() -> None:
    """30,000 x 30,000 pixels in a header: the data behind it is never looked at."""
    small = encoded(Image.new("L", (8, 8)))
    header = b"IHDR" + (30_000).to_bytes(4, "big") * 2 + small[24:29]
    huge = small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]
    with pytest.raises(ImageError, match="too large"):
        decode(huge)


_PEAK = """
def peak():  # resource's starts at the peak of the process that started this one
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))
"""

_MEASURE = f"""
import sys
{_PEAK}
from concurrent.futures import ThreadPoolExecutor
from fairaudit.pictures import open_pictures
from fairaudit.pictures.decoding import decode
folder = open_pictures(sys.argv[1])
before = peak()
with ThreadPoolExecutor(8) as pool:
    sizes = list(pool.map(lambda entry: decode(folder.read(entry.name)).shape, folder.entries))
print(len(sizes), max(sizes), peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory as Linux tells it")
def test_many_large_pictures_at_once_stay_within_memory(tmp_path: Path) -> None:
    """Six of 25 megapixels with alpha, on eight threads: 0.6 GB of pixels, and as much to blend them."""
    large = Image.new("RGBA", (5000, 5000), (200, 100, 50, 128))
    content = encoded(large, compress_level=1)
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, tmp_path], capture_output=True, text=True, check=True
    )
    count, *_, grown = done.stdout.replace("(", "").replace(")", "").replace(",", "").split()
    assert int(count) == 6
    assert int(grown) < 500


_READ = f"""
import sys
{_PEAK}
from concurrent.futures import ThreadPoolExecutor
from fairaudit.errors import ImageError
from fairaudit.pictures import open_pictures
from fairaudit.pictures.decoding import decode
def reason(name):
    try:
        return decode(pictures.read(name)).shape
    except ImageError as error:
        return str(error)
open_pictures(sys.argv[2]).read("a.png")
before = peak()
pictures = open_pictures(sys.argv[1])
with ThreadPoolExecutor(8) as pool:
    print(len(pictures.entries), *set(pool.map(reason, [entry.name for entry in pictures.entries])), sep="|")
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory as Linux tells it")
@pytest.mark.parametrize("kind", ["folder", "zip", "tar.gz"])
def test_zeros_that_are_called_pictures_are_not_read(kind: str, tmp_path: Path) -> None:
    """Six of 40 MiB each, of which an archive holds a few kilobytes, on eight threads."""
    zeros = bytes(40 * 2**20)
    path = store(kind, {f"{number}.png": zeros for number in range(6)}, tmp_path)
    small = store(kind, {"a.png": PICTURE}, tmp_path / "small")
    done = subprocess.run(
        [sys.executable, "-c", _READ, path, small], capture_output=True, text=True, check=True
    )
    said, grown = done.stdout.splitlines()
    assert said == "6|not a readable image"
    assert int(grown) < 40


def test_a_picture_in_parquet_is_no_larger_than_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = open_pictures(str(store("parquet", {"a.png": PICTURE}, tmp_path)))
    monkeypatch.setattr("fairaudit.pictures.parquet.MAX_BYTES", len(PICTURE) - 1)
    with pytest.raises(ImageError, match="too large"):
        collection.read("a.png")


@pytest.mark.parametrize("once", [False, True], ids=["plain", "dictionary"])
def test_large_cells_of_a_parquet_file_are_decoded_one_by_one(once: bool, tmp_path: Path) -> None:
    """Twelve of 40 MiB of zeros, which the file holds in a few kilobytes, and one picture.

    In a dictionary the zeros are there once, and twelve rows name them.
    """
    cells = [bytes(40 * 2**20)] * 12 + [PICTURE]
    path, small = tmp_path / "large.parquet", store("parquet", {"a.png": PICTURE}, tmp_path / "small")
    table = pa.table({"image": pa.array(cells, pa.binary())})
    pq.write_table(table, path, compression="zstd", use_dictionary=once, write_batch_size=1)
    del table, cells
    assert path.stat().st_size < 2**20
    done = subprocess.run(
        [sys.executable, "-c", _READ, path, small], capture_output=True, text=True, check=True
    )
    said, grown = done.stdout.splitlines()
    number, *found = said.split("|")
    assert number == "13"
    assert sorted(found)[-1] == "not a readable image"
    assert int(grown) < 400  # all together are 480; allocators differ in what they give back
