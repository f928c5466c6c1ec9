"""`audit` and `label` of pictures that are there already."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fairaudit.instruments import open_classifier
from fairaudit.results import Results
from tests.pictures.kinds import KINDS, captions_csv, encoded, noise, peculiar, store

Fairaudit = Callable[..., int]
BUILT_IN = "builtin:faces64-classifier"


def results_of(run: Path) -> Results:
    return Results.load(run / "results.json")


@pytest.fixture(scope="module")
def many() -> dict[str, bytes]:
    """Pictures of two prompts, a few of which are of no use."""
    files = {f"{text}/{n:02}.png": encoded(noise(n)) for n in range(40) for text in ("a nurse", "a doctor")}
    files |= {"a nurse/blank.png": encoded(Image.new("RGB", (40, 40), "black"))}
    return files | {"a doctor/broken.png": b"\x89PNG broken", "a doctor/empty.png": b"", "notes.txt": b"x"}


def test_the_same_bytes_have_the_same_labels_wherever_they_lie(
    fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = []
    for kind in KINDS:
        path, out = store(kind, peculiar(), tmp_path / kind), tmp_path / f"{kind}.csv"
        assert fairaudit("label", path, "--out", out, "--quiet") == 0
        tables.append(pd.read_csv(out).sort_values("image", ignore_index=True))
        assert "labelled 8, unreadable 1" in capsys.readouterr().out
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])


def test_every_kind_of_source_is_the_same_to_every_command(fairaudit: Fairaudit, tmp_path: Path) -> None:
    files = {f"{number:02}.png": encoded(noise(number, (64, 64))) for number in range(24)}
    sources = {kind.replace(".", "-"): str(store(kind, files, tmp_path / kind)) for kind in KINDS}
    sources["url"] = Path(sources["zip"]).as_uri()
    against = [part for name, source in sources.items() for part in ("--against", f"{name}={source}")]
    options = ("--samplers", "baseline", "--prompts", "a photo of a {attribute} nurse", "--images", 8)
    arguments = ("compare", "builtin:faces64", *options, "--steps", 2, *against, "--quiet")
    assert fairaudit(*arguments, "--out", tmp_path / "compared") == 0
    compared = results_of(tmp_path / "compared").samplers
    for name, source in sources.items():
        assert fairaudit("label", source, "--out", tmp_path / f"{name}.csv", "--quiet") == 0
        labels = pd.read_csv(tmp_path / f"{name}.csv")["gender"].value_counts()
        counts = {value: int(labels.get(value, 0)) for value in ("female", "male")}
        assert sum(counts.values()) == len(files)
        assert fairaudit("audit", source, "--out", tmp_path / "audits" / name, "--quiet") == 0
        audited = results_of(tmp_path / "audits" / name).samplers["images"]
        assert audited.attributes["gender"].counts == counts, name
        assert compared[name].attributes["gender"].counts == counts, name


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_of_labels_measures_what_its_pictures_measure(
    ending: str, many: dict[str, bytes], fairaudit: Fairaudit, tmp_path: Path
) -> None:
    pictures, table = store("zip", many, tmp_path), tmp_path / f"labels.{ending}"
    calibration = open_classifier(BUILT_IN, torch.device("cpu")).calibration("gender")
    assert calibration is not None
    (tmp_path / "gender.json").write_text(calibration.model_dump_json(by_alias=True))
    assert fairaudit("label", pictures, "--out", table, "--quiet") == 0
    assert fairaudit("audit", pictures, "--out", tmp_path / "one", "--quiet") == 0
    options = ("--calibration", tmp_path / "gender.json", "--out", tmp_path / "two", "--quiet")
    assert fairaudit("audit", table, *options) == 0
    one, two = (results_of(tmp_path / name) for name in ("one", "two"))
    assert one.n == two.n == 81
    places = [("images", None), ("images", "a nurse"), ("images", "a doctor")]
    for sampler, prompt in places:
        found = [
            (run.samplers[sampler] if prompt is None else run.samplers[sampler].prompts[prompt]).attributes[
                "gender"
            ]
            for run in (one, two)
        ]
        assert found[0].outcomes == found[1].outcomes
        assert found[0].counts == found[1].counts
        for value, share in found[0].shares.items():
            other = found[1].shares[value]
            assert (share.value, share.raw, share.bounds) == (other.value, other.raw, other.bounds)
    assert two.skipped_counts == {"not a readable image": 1}


def test_prompts_of_a_collection_are_measured_one_by_one(
    many: dict[str, bytes], fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    renamed = {
        name.replace("a nurse", "a photo of a nurse").replace("a doctor", "a photo of a doctor"): c
        for name, c in many.items()
    }
    source = store("tar.gz", renamed, tmp_path / "named")
    assert fairaudit("audit", source, "--target", "gender=labour", "--out", out, "--quiet") == 0
    first = results_of(out)
    prompts = first.samplers["images"].prompts
    assert {text: part.attributes["gender"].n for text, part in prompts.items()} == {
        "a photo of a nurse": 41,
        "a photo of a doctor": 40,
    }
    targets = [part.attributes["gender"].target["female"] for part in prompts.values()]
    assert targets[0] != targets[1]
    assert first.skipped_counts == {"not an image file": 1, "empty file": 1, "not a readable image": 1}
    assert fairaudit("audit", source, "--target", "gender=labour", "--out", out, "--quiet") == 0
    assert results_of(out).digest == first.digest
    capsys.readouterr()
    store("tar.gz", renamed | {"a photo of a nurse/more.png": encoded(noise(99))}, tmp_path / "named")
    assert fairaudit("audit", source, "--target", "gender=labour", "--out", out, "--quiet") == 2
    assert "another source" in capsys.readouterr().err


def test_a_run_does_not_go_on_with_pictures_that_were_replaced(
    fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {f"{number}.bmp": encoded(noise(number), "BMP") for number in range(24)}
    source = store("folder", files, tmp_path)
    arguments = ("audit", source, "--out", tmp_path / "run", "--quiet")
    assert fairaudit(*arguments) == 0
    before = (tmp_path / "run" / "results.json").read_bytes()
    assert fairaudit(*arguments) == 0
    capsys.readouterr()
    (source / "2.bmp").write_bytes(encoded(noise(99), "BMP"))
    os.utime(source / "2.bmp", ns=(0, 1))
    assert fairaudit(*arguments) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert "another source" in printed
    assert (tmp_path / "run" / "results.json").read_bytes() == before


def test_captions_of_every_picture_are_no_prompts_of_their_own(fairaudit: Fairaudit, tmp_path: Path) -> None:
    """With 501 captions there would be 501 tests of one picture."""
    files = {f"{number:03}.png": encoded(noise(number, (8, 8))) for number in range(501)}
    metadata = captions_csv({name: f"caption {name}" for name in files})
    source = store("zip", files | {"metadata.csv": metadata}, tmp_path)
    assert fairaudit("audit", source, "--out", tmp_path / "run", "--quiet") == 0
    results = results_of(tmp_path / "run")
    assert results.samplers["images"].prompts == {}
    assert any("501 prompts" in caveat for caveat in results.caveats)


@pytest.mark.parametrize("command", ["audit", "label"])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("absent.zip", None, "does not exist"),
        ("empty", {}, "holds no images"),
        ("none", {"notes.txt": b"x"}, "holds no images"),
        ("broken.zip", b"PK\x03\x04 no archive", "broken zip archive"),
        ("broken.tar.gz", b"\x1f\x8b no archive", "broken tar archive"),
        ("unreadable", {"a.png": b"x"}, ""),
    ],
)
def test_what_holds_no_pictures_is_one_sentence_and_leaves_nothing(
    command: str,
    name: str,
    content: dict[str, bytes] | bytes | None,
    words: str,
    fairaudit: Fairaudit,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, out = tmp_path / "in" / name, tmp_path / "out" / "labels.csv"
    source.parent.mkdir()
    if isinstance(content, bytes):
        source.write_bytes(content)
    elif content is not None:
        source.mkdir()
        for file, inside in content.items():
            (source / file).write_bytes(inside)
    assert fairaudit(command, source, "--out", out, "--quiet") in {2, 4}
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert not out.exists()
    assert not list(tmp_path.glob("out/*.part"))


def test_label_prints_counts_as_json_and_asks_several_classifiers(
    fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = store("folder", peculiar() | {"notes.txt": b"x"}, tmp_path)
    assert fairaudit("label", source, "--out", tmp_path / "l.parquet", "--json", "--quiet") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["skipped"] == 1
    counts = found["classifiers"][BUILT_IN]
    assert counts["outcomes"] == {"labelled": 8, "unreadable": 1}
    assert {name: sum(values.values()) for name, values in counts["values"].items()} == {
        "gender": 8,
        "race": 8,
        "age": 8,
    }
    table = pd.read_parquet(tmp_path / "l.parquet")
    assert (table.columns[:3] == ["image", "outcome", "reason"]).all()
    columns = [column for column in table if column.startswith("race.p.")]
    assert np.allclose(table[columns].dropna().sum(axis=1), 1, atol=1e-5)
    assert fairaudit("label", source, "--out", tmp_path / "labels.txt") == 2
    assert ".csv or .parquet" in capsys.readouterr().err
