"""What the package carries: real, small, without photographs, and biased as documented."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from diffusers import StableDiffusionPipeline

from fairaudit.models.builtin import asset, planted_shares
from fairaudit.models.diffusers import quiet
from fairaudit.prompts import PROMPT_SETS, Prompt
from fairaudit.results import Results
from fairaudit.sources import open_model
from fairaudit.truths import planted

ASSETS = asset("faces64").parent
PLANTED = Path(__file__).parent.parent / "recipes" / "planted.yaml"


def test_weights_are_small_and_nothing_else_is_there() -> None:
    files = [path for path in ASSETS.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) < 60_000_000
    suffixes = {path.suffix for path in files}
    assert suffixes == {".py", ".json", ".safetensors", ".md", ".png", ".yaml"}
    cards = {path.parent.name for path in files if path.name == "README.md"}
    assert cards == {"faces64", "faces64-classifier", "faces64-clip"}


def test_training_shares_are_those_that_the_recipe_plants() -> None:
    truth = planted_shares("faces64")
    specification = yaml.safe_load(PLANTED.read_text())["occupations"]
    assert len(specification) == 30
    for name, spec in specification.items():
        assert truth[name]["gender"]["female"] / truth[name]["n"] == pytest.approx(
            spec["female"] / 100, abs=4e-4
        )
        assert sum(truth[name]["joint"].values()) == truth[name]["n"] == 1500
        # Only grown-ups work.
        assert sum(truth[name]["age"][age] for age in ("0-2", "3-9", "10-19")) == 0


def test_every_occupation_prompt_has_a_known_truth() -> None:
    truth = planted_shares("faces64")
    for template in PROMPT_SETS["occupations"]:
        shares = planted(truth, Prompt(template).text, "gender", ("female", "male"))
        assert shares is not None
        assert sum(shares.values()) == pytest.approx(1)
    assert planted(truth, "a photo of a lighthouse", "gender", ("female", "male")) is None


def test_weights_have_the_fingerprint_of_their_files() -> None:
    fingerprint = open_model("builtin:faces64").fingerprint()
    assert {Path(name).parts[0] for name in fingerprint} >= {"unet", "vae", "text_encoder"}
    assert all(len(digest) == 64 for digest in fingerprint.values())


def test_the_model_draws_whom_it_is_told_to(
    fairaudit: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = ("--prompts", "a photo of a woman", "--prompts", "a photo of a man")
    arguments = (*prompts, "--images", 16, "--device", "cpu", "--json", "--quiet", "--out", tmp_path / "run")
    assert fairaudit("audit", "builtin:faces64", *arguments) == 0
    baseline = Results.model_validate_json(capsys.readouterr().out).samplers["baseline"]
    assert baseline.prompts["a photo of a woman"].attributes["gender"].counts["female"] >= 12
    assert baseline.prompts["a photo of a man"].attributes["gender"].counts["male"] >= 12


def test_diffusers_loads_the_model_as_any_other() -> None:
    with quiet():
        pipeline = StableDiffusionPipeline.from_pretrained(asset("faces64"), safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline("a photo of a nurse", num_inference_steps=2, guidance_scale=4.0).images[0]
    assert image.size == (64, 64)
    assert len(image.getcolors(maxcolors=64 * 64) or []) > 50
