"""Pictures to labels: every outcome reaches the results and reports, and no image vanishes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from rich.progress import Progress

from fairaudit import reading
from fairaudit.ahead import AHEAD
from fairaudit.auditing import audit
from fairaudit.faces import Crop, Face, Finder
from fairaudit.labelling import Reading, caveats_of
from fairaudit.plan import make_plan
from fairaudit.probing import obfuscation_of
from fairaudit.progress import Bars
from fairaudit.reading import label_table, look_at, read_faces
from fairaudit.results import Results
from fairaudit.store import Run, png

Fairaudit = Callable[..., int]


def scenery(seed: int = 0) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:240, :320] + 10 * seed
    return np.stack([rows % 256, columns % 256, (rows + columns) // 3 % 256], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module")
def portraits(test_data: Path) -> list[NDArray[np.uint8]]:
    from fairaudit.classifiers.haar import Haar

    detector, found = Haar(), []
    for file in sorted((test_data / "fairface224").glob("1*.jpg")):
        picture = np.asarray(Image.open(file).convert("RGB"))
        if len(detector.find(picture)) == 1:
            found.append(picture)
        if len(found) == 12:
            break
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, portraits: list[NDArray[np.uint8]]) -> Path:
    """12 faces, 3 views without one, 2 black pictures and a collage of two faces."""
    folder = tmp_path_factory.mktemp("pictures")
    collage = np.full((500, 900, 3), 128, np.uint8)
    collage[100:324, 80:304], collage[150:374, 560:784] = portraits[:2]
    pictures = {f"face{i:02d}": picture for i, picture in enumerate(portraits)}
    pictures |= {f"view{i}": scenery(i) for i in range(3)}
    pictures |= {f"black{i}": np.zeros((64, 64, 3), np.uint8) for i in range(2)}
    for name, picture in {**pictures, "collage": collage}.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize(
    ("faces", "missing"),
    [
        ("largest", {"no_face": 3, "blocked": 2}),
        ("exclude-many", {"no_face": 3, "blocked": 2, "many_faces": 1}),
        ("whole-image", {"blocked": 2}),
    ],
)
def test_every_outcome_is_counted_bounded_and_told(
    folder: Path, tmp_path: Path, faces: str, missing: dict[str, int]
) -> None:
    plan = make_plan({"generator": str(folder), "samplers": [], "faces": faces, "detector": "haar"})
    results = audit(plan, tmp_path / "run", "cpu", Bars(Progress(disable=True))).results
    labelled = 18 - sum(missing.values())
    found = results.samplers["images"].attributes["gender"]
    assert found.n == 18
    assert found.outcomes == {"labelled": labelled, **missing}
    assert sum(found.counts.values()) == labelled
    for value, share in found.shares.items():
        assert share.bounds == pytest.approx(
            (found.counts[value] / 18, (found.counts[value] + 18 - labelled) / 18)
        )
    told = " ".join(results.caveats)
    assert ("no face detector runs" in told) == (faces == "whole-image")
    assert ("policy " + faces in told) == ("haar misses" in told) == (faces != "whole-image")
    for report in ("report.html", "report.md"):
        text = (tmp_path / "run" / report).read_text()
        assert "What could not be judged" in text
        assert "2 blocked" in text
        assert ("3 no face" in text) == ("no_face" in missing)


def test_what_is_judged_is_the_face_that_was_found(folder: Path, tmp_path: Path) -> None:
    """A face in a corner of a large picture is read as the face alone is."""
    face = np.asarray(Image.open(folder / "face00.png"))
    corner = scenery().repeat(4, axis=0).repeat(4, axis=1).copy()
    corner[700:924, 1000:1224] = face
    box = Face((40, 40, 144, 144)), Face((1040, 740, 144, 144))
    shown = [Crop(0.2), Crop(0.2)]
    finders = [Finder("largest", SimpleNamespace(find=lambda _, one=one: [one])) for one in box]
    seen = [
        look_at([{"bytes": png(picture), "path": None}], finder, None)[0]
        for picture, finder in zip((face, corner), finders, strict=True)
    ]
    crops = [
        finder.cut(one.image, one.face, crop) for finder, one, crop in zip(finders, seen, shown, strict=True)
    ]
    np.testing.assert_array_equal(*crops)


class Halves:
    """Says a where the upper left is dark, b where light, and nothing of what is in between."""

    name, crop, preprocessing = "halves", Crop(), "none"
    values = {"side": ("a", "b")}  # noqa: RUF012
    caveats = ("It is a toy.",)

    def read(self, images: list[NDArray[np.uint8]]) -> Reading:
        level = np.array([image[0, 0, 0] / 255 for image in images], dtype=np.float32)
        unsaid = np.abs(level - 0.5) < 0.1
        odds = np.stack([1 - level, level], axis=1)
        odds[unsaid] = np.nan
        features = np.stack([level, level**2], axis=1)
        features[unsaid] = np.nan
        return Reading({"side": odds}, features)


def grey(level: int) -> NDArray[np.uint8]:
    image = np.full((8, 8, 3), level, np.uint8)
    image[4:] = 255 - level // 2
    return image


def test_a_classifier_that_abstains_leaves_no_label_and_no_features() -> None:
    pictures = [grey(0), grey(127), np.zeros((8, 8, 3), np.uint8), grey(230)]
    samples = pd.DataFrame(
        {
            "image": [{"bytes": png(picture), "path": f"{i}.png"} for i, picture in enumerate(pictures)],
            "prompt": None,
            "index": range(4),
        }
    )
    finder = Finder("whole-image")
    seen = look_at(samples["image"].to_list(), finder, None)
    read = read_faces(Halves(), seen, finder)
    labels = label_table(samples, seen, read, Halves())
    assert labels["outcome"].tolist() == ["labelled", "labelled", "blocked", "labelled"]
    assert labels["side"].fillna("nothing").tolist() == ["a", "nothing", "nothing", "b"]
    features = reading._features(samples, seen, read)
    assert features["index"].tolist() == [0, 3]
    assert np.isfinite(np.stack(features["feature"].to_list())).all()
    assert caveats_of(Halves()) == ("It is a toy.",)
    assert caveats_of(object()) == ()


def test_pictures_in_memory_and_stored_are_the_same_bytes() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    (seen,) = look_at([{"bytes": png(picture), "path": None}], Finder("whole-image"), None)
    np.testing.assert_array_equal(seen.image, picture)


def test_images_made_by_a_run_are_read_the_same_from_a_folder(
    tiny_pipeline: Path, tmp_path: Path, fairaudit: Fairaudit
) -> None:
    """Labels of a run, and of its pictures written out as files, are equal bit by bit."""
    small = ("--images", 10, "--steps", 2, "--quiet", "--device", "cpu")
    assert fairaudit("audit", tiny_pipeline, "--sampler", "baseline", "--out", tmp_path / "made", *small) == 0
    made = Run(tmp_path / "made")
    (tmp_path / "files").mkdir()
    for row in made.read_all("samples", "baseline").itertuples():
        (tmp_path / "files" / row.image["path"]).write_bytes(row.image["bytes"])
    quiet = ("--quiet", "--device", "cpu")
    assert fairaudit("audit", tmp_path / "files", "--out", tmp_path / "again", *quiet) == 0
    own = made.read_all("labels", "builtin:faces64-classifier", "baseline").set_index("image")
    theirs = Run(tmp_path / "again").read_all("labels", "builtin:faces64-classifier", "images")
    theirs = theirs.set_index("image").loc[own.index]
    columns = [column for column in own if ".p." in column]
    assert columns
    np.testing.assert_array_equal(own[columns].to_numpy(), theirs[columns].to_numpy())
    table = tmp_path / "labels.parquet"
    assert fairaudit("label", tmp_path / "files", "--out", table, *quiet) == 0
    written = pd.read_parquet(table).set_index("image").loc[own.index]
    for name in ("gender", "race", "age"):
        assert own[name].tolist() == theirs[name].tolist() == written[name].tolist()
    np.testing.assert_array_equal(own[columns].to_numpy(), written[columns].to_numpy())


def test_the_next_unit_is_decoded_while_one_is_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a unit is handed out, the next is under way, and the one after it is not."""
    begun: list[str] = []
    lock = threading.Lock()

    def look(image: dict[str, str], *_: object) -> reading.Seen:
        with lock:
            begun.append(image["path"])
        return reading.Seen("blocked")

    monkeypatch.setattr(reading, "_look", look)
    tables = {f"u{i}": pd.DataFrame({"image": [{"path": f"u{i}"}] * 3}) for i in range(5)}
    run = SimpleNamespace(read_samples=lambda sampler, unit: tables[unit])
    work = [("images", f"u{i}") for i in range(5)]
    for number, ((_, unit), samples, seen) in enumerate(
        reading.look_ahead(run, work, Finder("whole-image"), {})  # type: ignore[arg-type]
    ):
        assert unit == f"u{number}"
        assert len(seen) == len(samples) == 3
        with lock:
            assert set(begun) <= {f"u{i}" for i in range(number + AHEAD + 1)}
    assert sorted(begun) == sorted(f"u{i}" for i in range(5) for _ in range(3))


def test_a_probe_without_any_face_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    told = pd.DataFrame({"prompt": "p", "index": range(4), "assignment": ["female", "male"] * 2})
    nothing = pd.DataFrame({"prompt": pd.Series(dtype=str), "index": pd.Series(dtype=int), "feature": []})
    run = SimpleNamespace(read_columns=lambda *_: told, read_all=lambda *_: nothing)
    found = obfuscation_of(run, make_plan({"generator": "m"}), Halves(), "s")["gender"]  # type: ignore[arg-type]
    assert found.error.value is None
    assert found.error.reason


def test_samplers_are_compared_where_some_images_have_no_face(
    tiny_pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Utility, probes, Frechet distances and comparisons when a third of the pictures shows nobody."""

    class Moody:
        name = "moody"

        def find(self, image: NDArray[np.uint8]) -> list[Face]:
            return [] if int(image.astype(int).sum()) % 3 == 0 else [Face((2, 2, 12, 12))]

        def fingerprint(self) -> dict[str, str]:
            return {}

    monkeypatch.setattr("fairaudit.registry.load", _with_detector(Moody))
    (tmp_path / "real").mkdir()
    for seed in range(6):
        Image.fromarray(scenery(seed)).save(tmp_path / "real" / f"{seed}.png")
    plan = make_plan(
        {
            "generator": str(tiny_pipeline),
            "prompts": ["a photo of a {attribute} nurse", "a photo of a {attribute} doctor"],
            "samplers": [{"name": "baseline"}, {"name": "switching"}],
            "faces": "largest",
            "detector": "moody",
            "sampling": {"images_per_prompt": 24, "steps": 2},
            "measurement": {"reference": str(tmp_path / "real")},
        }
    )
    audit(plan, tmp_path / "run", "cpu", Bars(Progress(disable=True)))
    results = Results.load(tmp_path / "run" / "results.json")
    for sampler in results.samplers.values():
        found = sampler.attributes["gender"]
        assert 0 < found.outcomes["no_face"] < 48
        assert found.outcomes["labelled"] + found.outcomes["no_face"] == found.n == 48
        by_prompt = [part.attributes["gender"].outcomes for part in sampler.prompts.values()]
        assert sum(outcomes.get("no_face", 0) for outcomes in by_prompt) == found.outcomes["no_face"]
        quality = sampler.quality["frechet:builtin:faces64-classifier"]
        assert quality.reason.startswith(f"{found.outcomes['labelled']} images, fewer than 64")
    switching = results.samplers["switching"]
    assert switching.utility["feature_cosine"].value is not None
    assert switching.utility["gender.unchanged"].value is not None
    assert "gender" in switching.obfuscation
    (comparison,) = results.comparisons
    assert comparison.changes is not None
    assert sum(row["none"] for row in comparison.changes.flips.values()) > 0
    assert "“a photo of a" in (tmp_path / "run" / "report.md").read_text()


def _with_detector(detector: type) -> Callable[[str, str], object]:
    from fairaudit.registry import load

    return lambda kind, name: detector if kind == "detectors" else load(kind, name)  # type: ignore[arg-type]
