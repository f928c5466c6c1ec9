"""Calibrating a classifier: what is counted, where it is kept, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from scipy.optimize import minimize_scalar

from fairaudit import registry
from fairaudit.calibrations import misfits
from fairaudit.faces import Crop
from fairaudit.instruments import make_instrument, open_classifier
from fairaudit.labelling import Calibration, Reading
from fairaudit.models.builtin import asset
from fairaudit.plan import IMAGES, make_plan
from fairaudit.results import Results
from fairaudit.store import read_manifest

Fairaudit = Callable[..., int]
BUILTIN = "builtin:faces64-classifier"
GREY, ERRORS = {"female": 60, "male": 200}, 7


class Brightness:
    """Reads dark pictures as female and bright ones as male; has no calibration of its own."""

    name, crop, preprocessing = "test:brightness", Crop(), "mean of all pixels"
    values = {"gender": ("female", "male")}  # noqa: RUF012
    weights, file, own = "0" * 64, "weights", None

    def read(self, images: Sequence[np.ndarray]) -> Reading:
        sure = np.array([[0.8, 0.2] if image.mean() < 128 else [0.2, 0.8] for image in images])
        return Reading({"gender": sure.astype(np.float32)}, np.zeros((len(images), 2), np.float32))

    def calibration(self, attribute: str) -> Calibration | None:
        return self.own

    def fingerprint(self) -> dict[str, str]:
        return {self.file: self.weights}


@pytest.fixture
def brightness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Brightness]:
    """Registered as any other, with an empty cache."""
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path / "cache"))
    known = registry.resolve

    def resolve(kind: registry.Kind, name: str):
        return (lambda _: Brightness(), "") if name == Brightness.name else known(kind, name)

    monkeypatch.setattr(registry, "resolve", resolve)
    open_classifier.cache_clear()
    return Brightness


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """Forty pictures of each value, of which seven of the dark ones are men."""
    return make_faces(tmp_path / "known")


def make_faces(folder: Path, count: int = 80) -> Path:
    folder.mkdir()
    rows = []
    for number in range(count):
        value = "female" if number < count / 2 else "male"
        noise = np.random.default_rng(number).integers(-20, 20, (16, 16, 3))
        Image.fromarray((GREY[value] + noise).astype(np.uint8)).save(folder / f"{number}.png")
        rows.append({"Image": f"{number}.png", "Gender": "MALE" if number < ERRORS else value.title()})
    pd.DataFrame(rows).to_csv(folder / "labels.csv", index=False)
    return folder


def calibrate(fairaudit: Fairaudit, data: Path, out: Path, *more: object) -> int:
    return fairaudit("calibrate", Brightness.name, data, "--out", out, "--quiet", "--device", "cpu", *more)


def test_counts_kept_and_used(fairaudit: Fairaudit, brightness, known: Path, tmp_path: Path) -> None:
    assert calibrate(fairaudit, known, tmp_path / "out") == 0
    found = Calibration.load(tmp_path / "out" / "gender.calibration.json")
    assert found.confusion == ((33, 0), (7, 40))
    assert found.weights == {"weights": "0" * 64}
    assert (found.preprocessing, found.faces) == ("mean of all pixels", "whole pictures")
    assert found.reliability.before.ece == pytest.approx(73 / 80 - 0.8, abs=1e-6)
    assert found.reliability.after.ece < found.reliability.before.ece
    assert 0.2 < found.temperature < 1
    assert (tmp_path / "out" / "reliability.png").read_bytes().startswith(b"\x89PNG")
    arguments = ("--classifier", Brightness.name, "--quiet", "--device", "cpu")
    assert fairaudit("audit", known, "--out", tmp_path / "run", *arguments) == 0
    result = Results.load(tmp_path / "run" / "results.json").samplers[IMAGES].attributes["gender"]
    assert result.calibration == found.data == "80 pictures of known"
    assert result.estimator == "corrected"
    assert result.shares["female"].value == pytest.approx(33 / 80, abs=0.01)
    soft = result.other_estimators["soft"]["female"].value
    p = 0.8 ** (1 / found.temperature)
    honest = p / (p + 0.2 ** (1 / found.temperature))
    assert soft == pytest.approx(honest / 2 + (1 - honest) / 2, abs=1e-3)
    # Most likely where probabilities assume the calibration's true shares, not those of its labels.
    ratios = np.array([[honest, 1 - honest], [1 - honest, honest]]) / [33 / 80, 47 / 80]
    likeliest = minimize_scalar(lambda s: -np.log(ratios @ [s, 1 - s]).sum(), bounds=(0, 1), method="bounded")
    assert result.other_estimators["em"]["female"].value == pytest.approx(likeliest.x, abs=2e-3)
    assert abs(likeliest.x - 0.5) > 0.02
    assert result.transfer is not None
    assert not result.transfer.warning
    manifest = read_manifest(tmp_path / "run" / "manifest.json")
    assert len(manifest["classifier"]["calibration of gender"]) == 64


def test_others_do_not_get_it(
    fairaudit: Fairaudit, brightness, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    assert calibrate(fairaudit, known, tmp_path / "out") == 0
    path = tmp_path / "out" / "gender.calibration.json"
    monkeypatch.setattr(Brightness, "weights", "1" * 64)
    arguments = ("--classifier", Brightness.name, "--quiet", "--device", "cpu")
    assert fairaudit("audit", known, "--out", tmp_path / "run", *arguments) == 0
    result = Results.load(tmp_path / "run" / "results.json").samplers[IMAGES].attributes["gender"]
    assert result.calibration is None
    capsys.readouterr()
    assert fairaudit("audit", known, "--out", tmp_path / "no", "--calibration", path, *arguments) == 2
    assert "with other weights than" in capsys.readouterr().err
    monkeypatch.setattr(Brightness, "weights", "0" * 64)
    monkeypatch.setattr(Brightness, "preprocessing", "the darkest pixel")
    assert fairaudit("audit", known, "--out", tmp_path / "no", "--calibration", path, *arguments) == 2
    assert "other preprocessing (mean of all pixels, not the darkest pixel)" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def audit(fairaudit: Fairaudit, known: Path, out: Path, *more: object) -> Results:
    arguments = ("--classifier", Brightness.name, "--quiet", "--device", "cpu", "--out", out, *more)
    assert fairaudit("audit", known, *arguments) == 0
    return Results.load(out / "results.json")


def estimator_of(results: Results) -> tuple[str, str | None]:
    found = results.samplers[IMAGES].attributes["gender"]
    return found.estimator, found.calibration


def test_a_name_of_a_file_means_nothing(
    fairaudit: Fairaudit, brightness, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert calibrate(fairaudit, known, tmp_path / "out") == 0
    monkeypatch.setattr(Brightness, "file", "renamed.safetensors")
    path = tmp_path / "out" / "gender.calibration.json"
    for name, more in (("kept", ()), ("brought", ("--calibration", path))):
        found = audit(fairaudit, known, tmp_path / name, *more)
        assert estimator_of(found) == ("corrected", "80 pictures of known")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"weights": {"weights": "0" * 64}}, None),
        ({"weights": {"weights": "1" * 64}}, "other weights."),
        ({"preprocessing": "the darkest pixel"}, "other preprocessing (the darkest pixel, not mean of all"),
        ({"faces": "faces found by haar, margin 0"}, "other faces (faces found by haar, margin 0, not whole"),
    ],
)
def test_what_comes_with_a_classifier_is_checked_too(
    fairaudit: Fairaudit, brightness, known: Path, tmp_path: Path, monkeypatch, change, told: str | None
) -> None:
    own = {"classifier": Brightness.name, "attribute": "gender", "values": ("female", "male"),
           "data": "its own", "confusion": ((33, 0), (7, 40))}  # fmt: skip
    monkeypatch.setattr(Brightness, "own", Calibration(**own, **change))
    found = audit(fairaudit, known, tmp_path / "run")
    said = [caveat for caveat in found.caveats if "is left out: it was made with" in caveat]
    if told is None:
        assert estimator_of(found) == ("corrected", "its own")
        assert said == []
    else:
        assert estimator_of(found) == ("raw", None)
        assert told in said[0]
        assert calibrate(fairaudit, known, tmp_path / "out") == 0  # what is counted here takes its place
        found = audit(fairaudit, known, tmp_path / "again")
        assert estimator_of(found) == ("corrected", "80 pictures of known")


@pytest.mark.parametrize(
    ("content", "known"),
    [
        ({}, {"gender", "race", "gender x race"}),
        ({"faces": "largest", "detector": "haar"}, set()),
        ({"faces": "exclude-many"}, set()),
    ],
)
def test_the_built_in_calibration_is_of_whole_pictures(
    content, known: set[str], monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path))
    plan = make_plan({"generator": "x", "attributes": ["gender", "race"]} | content)
    classifier = open_classifier(BUILTIN, torch.device("cpu"))
    assert set(make_instrument(plan, classifier).calibrations) == known
    assert len(list(misfits(plan, classifier))) == 3 - len(known)


def test_a_run_goes_on_whatever_was_calibrated_since(
    fairaudit: Fairaudit, brightness, known: Path, tmp_path: Path
) -> None:
    """Without a calibration, with the one that it began with, and on a machine that has another."""
    without = audit(fairaudit, known, tmp_path / "without")
    assert calibrate(fairaudit, known, tmp_path / "out") == 0
    first = audit(fairaudit, known, tmp_path / "first")
    assert estimator_of(first) == ("corrected", "80 pictures of known")
    other = make_faces(tmp_path / "other", count=60)
    assert calibrate(fairaudit, other, tmp_path / "out") == 0
    assert estimator_of(audit(fairaudit, known, tmp_path / "second"))[1] == "60 pictures of other"
    assert audit(fairaudit, known, tmp_path / "without").digest == without.digest
    assert audit(fairaudit, known, tmp_path / "first").digest == first.digest
    shutil.rmtree(tmp_path / "cache")
    assert audit(fairaudit, known, tmp_path / "first").digest == first.digest


def test_another_classifiers_calibrations_are_not_overwritten(
    fairaudit: Fairaudit, brightness, known: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    out = tmp_path / "out"
    assert calibrate(fairaudit, known, out) == 0
    assert calibrate(fairaudit, known, out) == 0
    before = (out / "gender.calibration.json").read_bytes()
    for name, value in (("name", "test:other"), ("weights", "1" * 64)):
        with monkeypatch.context() as changed:
            changed.setattr(Brightness, name, value)
            changed.setattr(registry, "resolve", lambda *_: (lambda _: Brightness(), ""))
            open_classifier.cache_clear()
            capsys.readouterr()
            assert calibrate(fairaudit, known, out) == 2
            message = capsys.readouterr().err
        assert "is not overwritten; name another folder with --out" in " ".join(message.split())
        assert message.count("\n") == 1
        assert (out / "gender.calibration.json").read_bytes() == before


def test_json_is_all_that_is_printed(
    fairaudit: Fairaudit, brightness, known: Path, tmp_path: Path, capsys
) -> None:
    capsys.readouterr()
    assert calibrate(fairaudit, known, tmp_path / "out", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["calibrations"]["gender"]["confusion"] == [[33, 0], [7, 40]]
    assert said["left_out"] == {}


def test_parquet_with_class_numbers(fairaudit: Fairaudit, brightness, known: Path, tmp_path: Path) -> None:
    table = pd.read_csv(known / "labels.csv")
    features = {"gender": {"names": ["male", "female"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    columns = {
        "image": [{"bytes": (known / name).read_bytes(), "path": name} for name in table["Image"]],
        "gender": [int(value.lower() == "female") for value in table["Gender"]],
    }
    written = pa.table(columns)
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pq.write_table(written.replace_schema_metadata(metadata), tmp_path / "faces.parquet")
    assert calibrate(fairaudit, tmp_path / "faces.parquet", tmp_path / "out") == 0
    found = Calibration.load(tmp_path / "out" / "gender.calibration.json")
    assert found.confusion == ((33, 0), (7, 40))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda t: t.replace({"Gender": {"Female": "woman"}}),
            "row 8 has gender 'woman', which is not one of",
        ),
        (lambda t: t.assign(Image=["gone.png", *t["Image"][1:]]), "names 'gone.png', which is no picture"),
        (lambda t: t.assign(Image=["../x.png", *t["Image"][1:]]), "'../x.png', which is no picture"),
        (lambda t: t.assign(Image=["1.png", *t["Image"][1:]]), "names '1.png' twice"),
        (lambda t: t.drop(columns="Gender"), "no column of gender"),
        (lambda t: t.assign(Gender="male"), "no face of gender female"),
    ],
)
def test_bad_labels_are_one_sentence(
    fairaudit: Fairaudit, brightness, known: Path, tmp_path: Path, capsys, change, told: str
) -> None:
    change(pd.read_csv(known / "labels.csv")).to_csv(known / "labels.csv", index=False)
    assert calibrate(fairaudit, known, tmp_path / "out") in (2, 4)
    message = capsys.readouterr().err
    assert told in message
    assert message.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "cache").exists()


def test_what_is_no_data_says_what_is(fairaudit: Fairaudit, brightness, tmp_path: Path, capsys) -> None:
    assert calibrate(fairaudit, tmp_path, tmp_path / "out") == 2
    assert "holds no labels.csv" in capsys.readouterr().err
    assert calibrate(fairaudit, tmp_path, tmp_path / "out", "--attribute", "race") == 2
    assert "unknown attribute of test:brightness 'race'" in capsys.readouterr().err


def test_the_built_in_classifier_reproduces_its_card(
    fairaudit: Fairaudit, test_data: Path, tmp_path: Path
) -> None:
    data, out = test_data / "fairface224", tmp_path / "out"
    options = ("--attribute", "gender", "--attribute", "race", "--quiet", "--device", "cpu")
    assert fairaudit("calibrate", BUILTIN, data, "--out", out, *options) == 0
    for name in ("gender", "race"):
        own, found = (
            Calibration.load(folder / f"{name}.calibration.json").counts
            for folder in (asset("faces64-classifier"), out)
        )
        assert found.trace() / found.sum() == pytest.approx(own.trace() / own.sum(), abs=0.02)
    assert Calibration.load(out / "gender x race.calibration.json").counts.sum() == 1000


def test_shares_of_faces_hold_the_truth(fairaudit: Fairaudit, test_data: Path, tmp_path: Path) -> None:
    """By the classifier's own calibration, of other faces."""
    data = test_data / "fairface224"
    options = ("--attribute", "gender", "--attribute", "race", "--quiet", "--device", "cpu")
    assert fairaudit("audit", data, "--out", tmp_path / "run", *options) == 0
    labels = pd.read_csv(data / "labels.csv")
    sampler = Results.load(tmp_path / "run" / "results.json").samplers[IMAGES]
    for name in ("gender", "race"):
        truth = labels[name].replace({"Male": "male", "Female": "female"}).value_counts(normalize=True)
        for value, share in sampler.attributes[name].shares.items():
            low, high = share.simultaneous
            assert low <= truth[value] <= high, (name, value)
