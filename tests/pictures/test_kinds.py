"""Folders, archives and Parquet files of the same pictures are the same pictures."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import numpy as np
import pandas as pd
import pytest

from fairaudit.errors import ImageError, UsageError
from fairaudit.pictures import Collection, is_pictures, open_pictures
from fairaudit.pictures.folder import FolderCollection
from fairaudit.pictures.places import RemotePlace
from fairaudit.tables import is_label_table
from tests.pictures.kinds import (
    KINDS,
    captions_csv,
    captions_jsonl,
    encoded,
    noise,
    parquet,
    peculiar,
    store,
    tar,
)

PROMPTS = {"a.png": "a nurse", "b.png": "a doctor, <b>bold</b>", "c.png": "a nurse"}


def prompts_of(collection: Collection) -> dict[str, str | None]:
    return {entry.name: entry.prompt for entry in collection.entries}


def small(*names: str) -> dict[str, bytes]:
    return {name: encoded(noise(number)) for number, name in enumerate(names)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_back_the_bytes(kind: str, tmp_path: Path) -> None:
    files = peculiar()
    path = str(store(kind, files, tmp_path))
    assert is_pictures(path)
    collection = open_pictures(path)
    assert {entry.name: collection.read(entry.name) for entry in collection.entries} == files
    assert collection.skipped == {}
    assert sorted(entry.index for entry in collection.entries) == list(range(len(files)))


@pytest.mark.parametrize("kind", KINDS)
def test_many_threads_in_any_order_read_the_same(kind: str, tmp_path: Path) -> None:
    files = {f"{number:03}.bmp": b"BM" + number.to_bytes(2, "big") * 500 for number in range(300)}
    collection = open_pictures(str(store(kind, files, tmp_path)))
    names = np.random.default_rng(0).permutation(list(files)).tolist()[:150] + list(files)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(collection.read, names)) == [files[name] for name in names]


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_file_changes_the_fingerprint_and_nothing_else_does(kind: str, tmp_path: Path) -> None:
    """Copies with the times of the files are the same; pictures of equal size in their place are not."""
    files = {name: encoded(noise(number), "BMP") for number, name in enumerate(("a.bmp", "b.bmp"))}
    place = store(kind, files, tmp_path / "one")
    copy = shutil.copytree(tmp_path / "one", tmp_path / "copy") / place.name
    first = open_pictures(str(place)).fingerprint()
    assert open_pictures(str(place)).fingerprint() == first
    assert open_pictures(str(copy)).fingerprint() == first
    assert first["images"] == len(files)
    swapped = dict(zip(files, reversed(files.values()), strict=True))
    store(kind, swapped, tmp_path / "one")
    for path in (tmp_path / "one").rglob("*"):
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))  # clocks may tick slowly
    assert open_pictures(str(place)).fingerprint() != first


def test_pictures_elsewhere_are_known_by_what_their_file_system_says(tmp_path: Path) -> None:
    """Two stores of equal names and sizes, as those of an object store with checksums."""
    sizes = [{"size": 9, "type": "file", "ETag": tag} for tag in ("one", "one", "two")]

    class Bucket:
        def __init__(self, facts: dict[str, object]) -> None:
            self.facts = facts

        def find(self, path: str, *, detail: bool) -> dict[str, dict[str, object]]:
            return {f"{path}/a.png": self.facts}

    prints = [
        FolderCollection(place, place.files()).fingerprint()
        for place in (RemotePlace("s3://b/x", Bucket(facts), "b/x") for facts in sizes)
    ]
    assert prints[0] == prints[1] != prints[2]


def test_a_file_of_unknown_size_is_not_called_empty(tmp_path: Path) -> None:
    """Web servers list files without their sizes."""
    (tmp_path / "a.png").write_bytes(encoded(noise(0)))

    class Listed:
        def find(self, path: str, detail: bool) -> dict[str, dict[str, object]]:
            return {f"{path}/a.png": {"name": "a.png", "size": None}}

        def open(self, path: str, mode: str) -> object:
            return (tmp_path / "a.png").open(mode)

    place = RemotePlace("http://h/x", Listed(), "http://h/x")
    collection = FolderCollection(place, place.files())
    assert collection.read("a.png") == encoded(noise(0))


def test_a_signed_url_is_of_the_kind_that_its_path_ends_with() -> None:
    assert is_pictures("https://h/a.zip?token=b.csv")
    assert not is_pictures("https://h/labels.csv?token=a.zip")
    assert is_label_table("https://h/labels.csv?token=a.zip")


def test_shards_keep_their_prompts_and_equal_names_apart(tmp_path: Path) -> None:
    first = {"0.png": encoded(noise(0)), "0.txt": b"a nurse", "1.png": encoded(noise(1)), "1.txt": b"a judge"}
    second = {"0.png": encoded(noise(2)), "0.json": json.dumps({"caption": "a nurse"}).encode()}
    tar(tmp_path / "a-000.tar", first.items())
    tar(tmp_path / "a-001.tar", second.items())
    tar(tmp_path / "a-002.tar", {"notes.md": b"x"}.items())
    (tmp_path / "a-003.tar").write_bytes(b"no archive")
    (tmp_path / "sizes.json").write_text("{}")
    (tmp_path / ".a.tar").write_bytes(b"")
    collection = open_pictures(str(tmp_path))
    assert [(one.name, one.prompt, one.index) for one in collection.entries] == [
        ("0.png", "a nurse", 0),
        ("1.png", "a judge", 0),
        ("a-001.tar/0.png", "a nurse", 1),
    ]
    assert [collection.read(one.name) for one in collection.entries] == [
        first["0.png"],
        first["1.png"],
        second["0.png"],
    ]
    assert {name: reason.partition(" (")[0] for name, reason in collection.skipped.items()} == {
        ".a.tar": "hidden file",
        "a-002.tar": "holds no images",
        "a-003.tar": "broken tar archive",
        "sizes.json": "not an image file",
    }


def test_a_member_that_is_named_as_a_shard_s_own_picture_hides_none(tmp_path: Path) -> None:
    shards = [{"0.png": noise(0), "b.tar/0.png": noise(1)}, {"0.png": noise(2)}]
    for name, shard in zip(("a.tar", "b.tar"), shards, strict=True):
        tar(tmp_path / name, ((member, encoded(image)) for member, image in shard.items()))
    collection = open_pictures(str(tmp_path))
    read = [collection.read(entry.name) for entry in collection.entries]
    assert read == [encoded(noise(number)) for number in range(3)]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_sub_folders_are_prompts_only_where_all_pictures_lie_in_one_level_of_several(
    kind: str, tmp_path: Path
) -> None:
    layouts = [
        (["a nurse/1.png", "a nurse/2.png", "a doctor/1.png"], {"a nurse", "a doctor"}),
        (["only/1.png", "only/2.png"], {None}),
        (["a/1.png", "b/1.png", "2.png"], {None}),
        (["a/1.png", "b/c/1.png"], {None}),
        (["1.png", "2.png"], {None}),
        (["around/a nurse/1.png", "around/a doctor/1.png"], {"a nurse", "a doctor"}),
        (["train/a nurse/1.png", "test/a nurse/1.png", "test/a doctor/1.png"], {"a nurse", "a doctor"}),
        (["train/1.png", "test/1.png"], {None}),
        (["train/a/1.png", "other/b/1.png"], {None}),
    ]
    for number, (names, expected) in enumerate(layouts):
        path = store(kind, small(*names), tmp_path / str(number))
        assert set(prompts_of(open_pictures(str(path))).values()) == expected, names
    collection = open_pictures(str(store(kind, small(*layouts[0][0]), tmp_path / "again")))
    assert {entry.name: entry.index for entry in collection.entries} == {
        "a nurse/1.png": 0,
        "a nurse/2.png": 1,
        "a doctor/1.png": 0,
    }


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz"])
@pytest.mark.parametrize(
    ("name", "content"),
    [("metadata.csv", captions_csv(PROMPTS)), ("metadata.jsonl", captions_jsonl(PROMPTS))],
)
def test_metadata_wins_over_sub_folders(kind: str, name: str, content: bytes, tmp_path: Path) -> None:
    flat = open_pictures(str(store(kind, small(*PROMPTS) | {name: content}, tmp_path / "flat")))
    assert prompts_of(flat) == PROMPTS
    files = small(*(f"{folder}/{file}" for folder in "xy" for file in PROMPTS))
    nested = files | {f"x/{name}": content, f"y/{name}": content}
    found = prompts_of(open_pictures(str(store(kind, nested, tmp_path / "nested"))))
    assert found == {f"{folder}/{file}": text for folder in "xy" for file, text in PROMPTS.items()}


@pytest.mark.parametrize(
    "rows",
    [
        '{"image_file_name": "a.png", "prompt": "A"}\n{"image_file_name": "b.png", "prompt": "B"}',
        '{"x_file_name": "a.png", "y_file_name": "c.png", "prompt": "A"}\n'
        '{"file_names": ["b.png"], "prompt": "B"}',
    ],
)
def test_metadata_names_pictures_as_hugging_face_does(rows: str, tmp_path: Path) -> None:
    files = small("a.png", "b.png", "c.png") | {"metadata.jsonl": rows.encode()}
    found = prompts_of(open_pictures(str(store("folder", files, tmp_path))))
    assert found == {"a.png": "A", "b.png": "B"} | ({"c.png": "A"} if "c.png" in rows else {})


def test_a_line_of_metadata_ends_where_json_lines_end(tmp_path: Path) -> None:
    """Not at what else Unicode calls the end of a line, which may stand in a prompt as it is."""
    prompt = "first\u2028second\x85third"
    row = json.dumps({"file_name": "a.png", "prompt": prompt}, ensure_ascii=False)
    files = small("a.png") | {"metadata.jsonl": f"{row}\r\n \n".encode()}
    assert prompts_of(open_pictures(str(store("folder", files, tmp_path)))) == {"a.png": prompt}


def test_a_picture_without_a_prompt_is_named_where_others_have_one(tmp_path: Path) -> None:
    files = small(*PROMPTS, "d.png") | {"metadata.csv": captions_csv(PROMPTS, "caption")}
    collection = open_pictures(str(store("folder", files, tmp_path)))
    assert prompts_of(collection) == PROMPTS
    assert collection.skipped == {"d.png": "without a prompt, unlike others"}


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
@pytest.mark.parametrize("content", [b"file,text\na.png,x\n", b"\xff\xfe\x00"])
def test_metadata_that_is_none_is_one_sentence(kind: str, content: bytes, tmp_path: Path) -> None:
    path = store(kind, small("a.png") | {"metadata.csv": content}, tmp_path)
    with pytest.raises(UsageError, match="no metadata of pictures") as caught:
        open_pictures(str(path))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_metadata_that_is_damaged_in_a_zip_is_told_with_its_archive(tmp_path: Path) -> None:
    metadata = captions_csv(PROMPTS)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in (small(*PROMPTS) | {"metadata.csv": metadata}).items():
            archive.writestr(name, content)
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole.replace(metadata, metadata.replace(b"nurse", b"nurze")))
    with pytest.raises(UsageError, match=r"metadata\.csv of .*a\.zip: broken"):
        open_pictures(str(tmp_path / "a.zip"))


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_metadata_of_other_pictures_is_no_silence(kind: str, tmp_path: Path) -> None:
    files = small("a.png", "b.png") | {"empty.png": b""}
    other = files | {"metadata.csv": captions_csv({"images/a.png": "a nurse", "images/b.png": "a nurse"})}
    with pytest.raises(UsageError, match=r"for none of its pictures: 'images/a\.png'") as caught:
        open_pictures(str(store(kind, other, tmp_path / "other")))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    rows = {"a.png": "x", "b.png": "y", "empty.png": "z", "gone.png": "x", "far/gone.png": "y"}
    some = open_pictures(str(store(kind, files | {"metadata.csv": captions_csv(rows)}, tmp_path / "some")))
    assert prompts_of(some) == {"a.png": "x", "b.png": "y"}
    missing = dict.fromkeys(("gone.png", "far/gone.png"), "named by metadata, but not there")
    assert some.skipped == {"empty.png": "empty file"} | missing


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_captions_beside_the_pictures_of_a_webdataset_are_prompts(kind: str, tmp_path: Path) -> None:
    files = small("0/1.jpg", "0/2.jpg") | {
        "0/1.txt": b" a nurse \n",
        "0/2.json": b'{"width": 3, "caption": "a doctor"}',
        "0/2.cls": b"7",
        "notes.txt": b"no caption",
    }
    collection = open_pictures(str(store(kind, files, tmp_path)))
    assert prompts_of(collection) == {"0/1.jpg": "a nurse", "0/2.jpg": "a doctor"}
    assert set(collection.skipped) == {"0/2.cls", "notes.txt"}


@pytest.mark.parametrize("column", ["prompt", "text", "caption"])
def test_a_column_of_a_parquet_file_is_the_prompt(column: str, tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", small(*PROMPTS).items(), **{column: list(PROMPTS.values())})
    assert prompts_of(open_pictures(str(path))) == PROMPTS


def test_a_plain_column_of_bytes_is_pictures_and_rows_without_a_name_are_numbered(tmp_path: Path) -> None:
    content = list(small("a", "b").values())
    pd.DataFrame({"image": content, "text": ["x", "y"]}).to_parquet(tmp_path / "plain.parquet")
    collection = open_pictures(str(tmp_path / "plain.parquet"))
    assert [collection.read(entry.name) for entry in collection.entries] == content
    twice = parquet(tmp_path / "twice.parquet", [("same.png", content[0]), ("same.png", content[1])])
    collection = open_pictures(str(twice))
    assert [collection.read(entry.name) for entry in collection.entries] == content


def test_a_parquet_file_is_labels_unless_it_has_pictures(tmp_path: Path) -> None:
    from fairaudit.tables import is_label_table

    pd.DataFrame({"gender": ["female"]}).to_parquet(tmp_path / "labels.parquet")
    parquet(tmp_path / "pictures.parquet", small("a.png").items())
    found = {p.stem: (is_label_table(str(p)), is_pictures(str(p))) for p in tmp_path.glob("*.parquet")}
    assert found == {"labels": (True, False), "pictures": (False, True)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_urls_give_what_paths_give(kind: str, scheme: str, tmp_path: Path) -> None:
    files = {f"a nurse/{name}": content for name, content in peculiar().items()}
    path = store(kind, files, tmp_path)
    url = f"file://{path}"
    if scheme == "memory":
        system = fsspec.filesystem("memory")
        url = f"memory://{tmp_path.name}/{path.name}"
        system.put(str(path), url, recursive=True)
    local, remote = open_pictures(str(path)), open_pictures(url)
    assert is_pictures(url)
    assert remote.entries == local.entries
    for entry in local.entries:
        assert remote.read(entry.name) == local.read(entry.name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.zip", "does not exist"),
        ("memory://absent/x.zip", "does not exist"),
        ("nonsense://x.zip", "nonsense"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        open_pictures(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["https://host/x.zip", "S3://bucket/x", "zip://*.png::https://host/x.zip", "simplecache::gs://x/y.tar"],
)
def test_no_url_is_opened_where_the_network_is_not_to_be_used(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("fsspec.core.url_to_fs", None)
    with pytest.raises(UsageError, match=r"is not on this machine, and the network is not to be used$"):
        open_pictures(name)
    monkeypatch.undo()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="does not exist"):
        open_pictures(f"file://{tmp_path}/absent.zip")


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("s3://bucket/x.zip", "s3fs"),
        ("https://host/x.zip", "aiohttp"),
        ("https://host/x.parquet", "aiohttp"),
        ("zip://*.png::https://host/x.zip", "aiohttp"),
    ],
)
def test_a_package_that_a_url_needs_is_named(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    known = sys.modules["fsspec.registry"]._registry
    for protocol in ("s3", "http", "https"):
        monkeypatch.delitem(known, protocol, raising=False)
    for module in ("s3fs", "fsspec.implementations.http"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=package) as caught:
        open_pictures(name)
    assert "fairaudit[remote]" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "parquet"])
def test_a_broken_file_is_one_sentence(kind: str, tmp_path: Path) -> None:
    whole = store(kind, peculiar(), tmp_path).read_bytes()
    for number, content in enumerate((b"", b"no archive at all" * 99, whole[: len(whole) // 2])):
        path = tmp_path / f"{number}.{kind}"
        path.write_bytes(content)
        with pytest.raises(ImageError) as caught:
            open_pictures(str(path))
        assert "\n" not in str(caught.value)
