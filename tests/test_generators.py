"""Several generators in one run, refusals before anything is written, and memory that runs out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fairaudit.classifiers.faces64 import load

from fairaudit.generating import Workplace, generate, plan_units
from fairaudit.generators import Generators
from fairaudit.labelling import ClassifierRequest
from fairaudit.manifest import make_manifest
from fairaudit.memory import remembered_room
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.plan import AuditPlan
from fairaudit.planning import build_plan
from fairaudit.progress import progress_bars
from fairaudit.refusing import check_samplers
from fairaudit.results import Results
from fairaudit.store import Run
from tests.tiny import save_tiny_ddpm, save_tiny_pipeline

Fairaudit = Callable[..., int]

SMALL = (
    "--prompts", "a photo of a {attribute} nurse", "--images", 12, "--steps", 3, "--quiet", "--device", "cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the same layout with other weights."""
    return save_tiny_pipeline(tmp_path_factory.mktemp("models") / "tuned", seed=1)


def pictures(run: Path, sampler: str) -> list[bytes]:
    return [image["bytes"] for image in Run(run).read_all("samples", sampler)["image"]]


@pytest.fixture(scope="module")
def against(tiny_pipeline: Path, tuned: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model beside the other one."""
    from fairaudit.auditing import audit

    out = tmp_path_factory.mktemp("runs") / "against"
    plan = build_plan(
        str(tiny_pipeline),
        samplers=["baseline", "switching"],
        prompts=[SMALL[1]],
        against=[str(tuned)],
        fields={"sampling.images_per_prompt": 12, "sampling.steps": 3},
    )
    with progress_bars(visible=False) as bars:
        audit(plan, out, "cpu", bars)
    return out


def test_another_model_is_compared_from_the_same_noise(
    against: Path, tuned: Path, tmp_path: Path, fairaudit: Fairaudit
) -> None:
    assert fairaudit("audit", tuned, "--out", tmp_path / "alone", *SMALL) == 0
    assert pictures(against, "tuned") == pictures(tmp_path / "alone", "baseline")
    assert pictures(against, "tuned") != pictures(against, "baseline")


def test_results_and_reports_say_what_each_ran_on(against: Path, tiny_pipeline: Path, tuned: Path) -> None:
    results = Results.load(against / "results.json")
    ran_on = {name: sampler.generator for name, sampler in results.samplers.items()}
    assert ran_on == {"baseline": str(tiny_pipeline), "switching": str(tiny_pipeline), "tuned": str(tuned)}
    assert results.generator == str(tiny_pipeline)
    assert {(c.a, c.b) for c in results.comparisons if c.metric == "gender.fd"} >= {
        ("switching", "baseline"),
        ("tuned", "baseline"),
    }
    manifest = json.loads((against / "manifest.json").read_text())
    assert list(manifest["other_sources"]) == [str(tuned)]
    assert manifest["other_sources"][str(tuned)] != manifest["source"]
    texts = {name: (against / f"report.{name}").read_text() for name in ("html", "md", "csv", "xml")}
    for name in ("html", "md"):
        assert tiny_pipeline.name in texts[name], name
    for name, text in texts.items():
        assert str(tuned.parent) not in text, name  # reports are handed on: no path of this machine


def test_other_weights_of_another_model_are_noticed(
    tiny_pipeline: Path, tmp_path: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    other = shutil.copytree(tiny_pipeline, tmp_path / "other")
    arguments = ("compare", tiny_pipeline, "--samplers", "baseline", "--against", other, *SMALL)
    assert fairaudit(*arguments, "--out", tmp_path / "run") == 0
    shutil.rmtree(other)
    save_tiny_pipeline(other, seed=2)
    assert fairaudit(*arguments, "--out", tmp_path / "run") == 2
    assert "another other sources" not in (error := capsys.readouterr().err)
    assert "made with other weights of another model" in error


def test_models_of_other_latents_are_refused(
    tiny_pipeline: Path, tmp_path: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    larger = shutil.copytree(tiny_pipeline, tmp_path / "larger")
    config = json.loads((larger / "unet" / "config.json").read_text())
    (larger / "unet" / "config.json").write_text(json.dumps(config | {"sample_size": 16}))
    assert fairaudit("compare", tiny_pipeline, "--against", larger, *SMALL, "--out", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert "4 x 8 x 8" in error
    assert "4 x 16 x 16: they cannot start from the same noise" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--samplers", "gcdm"), "--debias gender,age"),
        (("--samplers", "distribution-guidance"), "middle block"),
        (("--scheduler", "euler", "--samplers", "latent-variable"), "--scheduler ddpm"),
        (("--against", "no model at all"), "is no model"),
        (("--heads", "absent.safetensors"), "absent.safetensors"),
    ],
)
def test_what_a_model_cannot_do_is_refused_before_anything_is_written(
    arguments: tuple[str, ...],
    words: str,
    tiny_pipeline: Path,
    tmp_path: Path,
    fairaudit: Fairaudit,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fairaudit("compare", tiny_pipeline, *SMALL, *arguments, "--out", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def plan_for(model: Path, *samplers: str, batch: int = 32) -> AuditPlan:
    return build_plan(
        str(model),
        samplers=samplers,
        prompts=[SMALL[1]],
        fields={"sampling.images_per_prompt": 12, "sampling.steps": 3, "sampling.batch": batch},
    )


def make_images(plan: AuditPlan, out: Path) -> None:
    """The first stage of a run alone."""
    cpu = torch.device("cpu")
    generators = Generators(plan, cpu, load(ClassifierRequest(cpu)))
    check_samplers(plan, generators)
    manifest = make_manifest({}, {}, "cpu", plan.digest)
    with progress_bars(visible=False) as bars:
        generate(Workplace(Run.open(out, plan, manifest), plan, bars), generators, plan_units(plan))


def test_an_editor_of_images_brings_those_it_edits_and_resumes_to_the_same(
    tiny_pipeline: Path, tmp_path: Path
) -> None:
    alone, both, labelled = tmp_path / "alone", tmp_path / "both", tmp_path / "labelled"
    make_images(plan_for(tiny_pipeline, "bo-ddnm"), alone)
    assert [path.name for path in (alone / "samples").iterdir()] == ["bo-ddnm"]
    make_images(plan_for(tiny_pipeline, "baseline", "bo-ddnm"), both)
    first = pictures(alone, "bo-ddnm")
    assert pictures(both, "bo-ddnm") == first
    assert first != pictures(both, "baseline")
    for path in (both / "samples" / "bo-ddnm").iterdir():
        path.unlink()
    make_images(plan_for(tiny_pipeline, "baseline", "bo-ddnm"), both)
    assert pictures(both, "bo-ddnm") == first
    make_images(plan_for(tiny_pipeline, "base=baseline", "bo-ddnm"), labelled)
    assert pictures(labelled, "bo-ddnm") == first


def test_memory_that_runs_out_is_remembered_and_the_run_goes_on(
    tiny_pipeline: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sizes: list[int] = []
    plain = StableDiffusion.predict

    def small(self: StableDiffusion, x: torch.Tensor, *others: Any) -> torch.Tensor:
        sizes.append(len(x))
        if len(x) > 10:
            raise torch.OutOfMemoryError
        return plain(self, x, *others)

    monkeypatch.setattr(StableDiffusion, "predict", small)
    plan, out = plan_for(tiny_pipeline, "baseline", batch=16), tmp_path / "run"
    make_images(plan, out)
    assert json.loads((out / "room.json").read_text()) == {"rows": 10}
    assert "network calls have 10 rows" in " ".join(capsys.readouterr().err.split())
    assert AuditPlan.load(out / "plan.yaml").sampling.batch == 16
    assert sizes[:5] == [16, 14, 12, 10, 10]
    sizes.clear()
    for path in (out / "samples" / "baseline").iterdir():
        path.unlink()
    make_images(plan, out)
    assert set(sizes) == {10}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rows": "many"}', '{"rows": 99}', '{"rows": null}'])
def test_a_strange_record_of_the_memory_is_ignored(content: str, tmp_path: Path) -> None:
    (tmp_path / "room.json").write_text(content)
    with progress_bars(visible=False) as bars:
        assert remembered_room(Run(tmp_path), 32, bars).rows == 32


def test_memory_that_does_not_hold_a_block_is_one_sentence(
    tiny_pipeline: Path,
    tmp_path: Path,
    fairaudit: Fairaudit,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def never(*given: Any, **named: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("fairaudit.generating.sample", never)
    assert fairaudit("audit", tiny_pipeline, *SMALL, "--out", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert "12 images at once under baseline" in error
    assert "--block" in error


def test_a_class_model_without_an_empty_class_can_be_switched_but_not_asked_for_nothing(
    fairaudit: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Switching between two classes is the setting of its paper; the baseline has no neutral class."""
    model = save_tiny_ddpm(tmp_path / "ddpm", rows=2, names=["female", "male"])
    common = (
        "--prompts", "{attribute}", "--images", 8, "--steps", 2, "--scheduler", "ddim", "--guidance-scale", 1,
        "--quiet",
    )  # fmt: skip
    run = tmp_path / "run"
    assert fairaudit("compare", model, "--samplers", "switching", *common, "--out", run) == 0
    other = tmp_path / "other"
    assert fairaudit("compare", model, "--samplers", "baseline", *common, "--out", other) == 2
    assert "no class for the empty prompt" in capsys.readouterr().err
    assert not other.exists()
