"""What quality is measured against: pictures, statistics, another sampler; and nothing is done twice."""

from __future__ import annotations

from pathlib import Path

import cleanfid
import numpy as np
import pytest
import torch
from PIL import Image
from rich.progress import Progress

from fairaudit import auditing
from fairaudit.contrastive import Contrastive
from fairaudit.errors import FairauditError, UsageError
from fairaudit.extracting import open_extractor, read_features
from fairaudit.metrics.quality import Moments
from fairaudit.plan import AuditPlan, make_plan
from fairaudit.progress import Bars
from fairaudit.references import ITSELF, POOLED
from fairaudit.results import Results
from fairaudit.statistics_files import cleanfid_statistics, load_moments, save_moments
from fairaudit.store import Run
from tests.classifiers.networks import pictures

CLIP = "builtin:faces64-clip"
CPU = torch.device("cpu")


def write(folder: Path, count: int, seed: int) -> Path:
    folder.mkdir(parents=True)
    for number, picture in enumerate(pictures(count, 64, seed)):
        Image.fromarray(picture).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pictures") / "made", 40, 0)


@pytest.fixture(autouse=True)
def _no_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "write_reports", lambda *_: {})


def planned(source: Path, reference: object) -> AuditPlan:
    content = {"generator": str(source), "samplers": [], "extractors": [CLIP]}
    return make_plan(content | {"measurement": {"reference": str(reference)}})


def run(plan: AuditPlan, out: Path) -> Results:
    return auditing.audit(plan, out, "cpu", Bars(Progress(disable=True))).results


def test_real_pictures_are_seen_once(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(made, write(tmp_path / "real", 40, 1))
    first = run(plan, tmp_path / "run")
    quality = first.samplers["images"].quality
    for name in ("clip_fid", "cmmd", "precision", "recall", "density", "coverage"):
        found = quality[f"{name}:{CLIP}"]
        assert found.low <= found.value <= found.high
    assert "fewer than 384" in quality[f"clip_fid_infinity:{CLIP}"].reason
    by_value = first.samplers["images"].quality_by_value["gender"][f"cmmd:{CLIP}"]
    labelled = first.samplers["images"].attributes["gender"].counts
    # It is biased at n images, so that it is of equally many of every value.
    assert set(by_value.images.values()) == {min(labelled.values())}
    fewest = min(labelled, key=lambda value: labelled[value])
    few = first.samplers["images"].quality_by_value["gender"][f"clip_fid:{CLIP}"]
    for value in set(labelled) - {fewest}:
        assert few.values[value].reason.startswith(f"compared at as many images as of {fewest}: ")

    def never(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(Contrastive, "embed_images", never)
    assert run(plan, tmp_path / "run").digest == first.digest


def test_features_do_not_depend_on_their_neighbours(made: Path, tmp_path: Path) -> None:
    plan = planned(made, write(tmp_path / "real", 20, 2))
    run(plan, tmp_path / "run")
    table = read_features(Run(tmp_path / "run"), plan, CLIP, "images")
    alone = open_extractor(CLIP, CPU).features([np.asarray(Image.open(made / "007.png"))])
    found = np.stack(table.sort_values("index")["feature"].to_list())
    np.testing.assert_array_equal(found[7], alone[0])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_statistics_give_the_distance_of_their_pictures(made: Path, tmp_path: Path, kind: str) -> None:
    real = write(tmp_path / "real", 40, 3)
    whole = run(planned(made, real), tmp_path / "whole")
    features = open_extractor(CLIP, CPU).features(pictures(40, 64, 3))
    moments, path = Moments.of(features), tmp_path / f"real.{kind}"
    if kind == "npz":
        np.savez(path, mu=moments.mean, sigma=moments.cov)
    else:
        path.write_bytes(save_moments(moments))
    short = run(planned(made, path), tmp_path / "short").samplers["images"]
    key = f"clip_fid:{CLIP}"
    assert short.quality[key].value == pytest.approx(whole.samplers["images"].quality[key].value, rel=1e-6)
    assert short.quality[f"cmmd:{CLIP}"].reason.startswith("only statistics")
    assert short.quality_by_value["gender"][key].gap.reason == POOLED


def test_a_sampler_is_a_reference(tiny_pipeline: Path, tmp_path: Path) -> None:
    content = {
        "generator": str(tiny_pipeline),
        "prompts": ["a photo of a {attribute} nurse"],
        "samplers": [{"name": "baseline"}, {"name": "switching"}],
        "extractors": [CLIP],
        "sampling": {"images_per_prompt": 16, "steps": 2},
        "measurement": {"reference": "sampler:baseline"},
    }
    found = run(make_plan(content), tmp_path / "run").samplers
    assert found["baseline"].quality[f"cmmd:{CLIP}"].reason == ITSELF
    assert found["switching"].quality[f"cmmd:{CLIP}"].value >= 0
    content["measurement"] = {"reference": "sampler:basline"}
    with pytest.raises(FairauditError, match="did you mean 'baseline'"):
        run(make_plan(content), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_clean_fids_names_are_found_where_clean_fid_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Inception:
        name, kind = "inception", "inception"

    monkeypatch.setattr(cleanfid, "__file__", str(tmp_path / "__init__.py"))
    (tmp_path / "stats").mkdir()
    with pytest.raises(UsageError, match=r"stats/ffhq_clean_trainval70k_1024\.npz"):
        cleanfid_statistics("FFHQ/1024/trainval70k", [Inception()])
    np.savez(tmp_path / "stats" / "ffhq_clean_trainval70k_1024.npz", mu=np.zeros(3), sigma=np.eye(3))
    np.savez(tmp_path / "stats" / "ffhq_clean_trainval70k_1024_kid.npz", feats=np.ones((4, 3)))
    found = cleanfid_statistics("FFHQ/1024/trainval70k", [Inception()])["inception"]
    assert found.features.shape == (4, 3)
    assert found.reference.trace == 3
    with pytest.raises(UsageError, match="name --extractor inception"):
        cleanfid_statistics("FFHQ/1024/trainval70k", [])
    with pytest.raises(UsageError, match="not of the form"):
        cleanfid_statistics("ffhq/1024", [Inception()])


def test_files_that_are_no_statistics_say_so(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for content, words in (
        ({"mu": np.zeros(3)}, "sigma missing"),
        ({"mu": np.zeros(3), "sigma": np.eye(4)}, "not a finite mean"),
        ({"mu": np.zeros(2), "sigma": np.array([[1.0, 5], [0, 1]])}, "not symmetric"),
        ({"mu": np.array([{}, 1], dtype=object), "sigma": np.eye(2)}, "holds no statistics"),
    ):
        np.savez(path, **content)
        with pytest.raises(UsageError, match=words):
            load_moments(path)
    path.write_bytes(b"no archive")
    with pytest.raises(UsageError, match="holds no statistics"):
        load_moments(path)
    np.savez(path, mu=np.zeros(3), sigma=np.eye(3))
    with pytest.raises(UsageError, match="statistics of 3 features"):
        run(planned(made, path), tmp_path / "run")
