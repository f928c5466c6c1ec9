"""What the package carries: real, small, without photographs, and biased as documented."""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from diffusers import StableDiffusionPipeline
from PIL import Image

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


def test_no_picture_of_the_package_is_a_photograph_it_learnt_from(test_data: Path) -> None:
    """Tiles of the samples, against all faces and their mirror images.

    Poor copies differ from their photograph by at most 0.022 (root mean square, white is 1), the nearest of
    other photographs by 0.049 or more.
    """
    sheet = np.asarray(Image.open(asset("faces64") / "samples.png").convert("RGB"))
    tiles = sheet.reshape(-1, 64, sheet.shape[1] // 64, 64, 3).swapaxes(1, 2).reshape(-1, 64, 64, 3)
    small = thumbnails(tiles)
    tables = [
        pd.read_parquet(path, columns=["image"]) for path in sorted(test_data.glob("fairface64/*.parquet"))
    ]
    with ThreadPoolExecutor() as pool:
        photographs = np.stack(list(pool.map(decode, pd.concat(tables)["image"])))
    faces = thumbnails(photographs)
    mirrored = thumbnails(photographs[:, :, ::-1])
    copies = np.stack([poor_copy(photograph) for photograph in photographs[:50]])
    assert (distances(thumbnails(copies), faces).argmin(1) == np.arange(50)).all()
    assert distances(thumbnails(copies), faces).min(1).max() < 0.03
    for known in (faces, mirrored):
        assert distances(small, known).min() > 0.03


def thumbnails(pictures: np.ndarray) -> np.ndarray:
    """Means (n, 768) of 4 x 4 pixels, in [0, 1]: what little a copy in other pixels changes, they do not."""
    return (
        pictures.reshape(-1, 16, 4, 16, 4, 3).mean((2, 4), dtype=np.float32).reshape(len(pictures), -1) / 255
    )


def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Root mean square differences (m, n)."""
    squares = (some**2).sum(1)[:, None] + (others**2).sum(1) - 2 * some @ others.T
    return np.sqrt(squares.clip(0) / some.shape[1])


def poor_copy(photograph: np.ndarray) -> np.ndarray:
    """Made smaller and larger again, and saved as JPEG of low quality."""
    file = io.BytesIO()
    Image.fromarray(photograph).resize((60, 60)).resize((64, 64)).save(file, "JPEG", quality=40)
    return decode(file.getvalue())


def decode(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))


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
