"""Models by name: built in, analytic, a folder, a copy of one on the hub."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from fairaudit.samplers.baseline import Baseline

from fairaudit.asking import Room
from fairaudit.diffusion import sample
from fairaudit.errors import UsageError
from fairaudit.plan import SamplingPlan
from fairaudit.sources import Defaults, open_model
from tests.models.test_families import CPU, REQUEST
from tests.tiny import save_tiny_ddpm


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache without a network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(hub: Path, name: str, folder: Path, revision: str = "0" * 40, ref: str = "main") -> None:
    """A downloaded model, as the hub's client lays it out."""
    home = hub / f"models--{name.replace('/', '--')}"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs" / ref).write_text(revision)
    shutil.copytree(folder, home / "snapshots" / revision)


def test_a_downloaded_model_is_the_folder_it_was(hub: Path, tiny_pipeline: Path) -> None:
    put(hub, "org/tiny", tiny_pipeline)
    remote, local = open_model("org/tiny"), open_model(str(tiny_pipeline))
    assert remote.fingerprint() == {"hub": "org/tiny", "revision": "0" * 40}
    assert remote.defaults() == local.defaults() == Defaults(50, 7.5)
    made = [
        sample(
            source.load(CPU, SamplingPlan()), [Baseline()], REQUEST, scheduler="ddim", steps=2, room=Room(6)
        )
        for source in (remote, local)
    ]
    assert torch.equal(*(one["baseline"].latents for one in made))


@pytest.mark.parametrize("asked", ["v1", "1" * 40])
def test_a_revision_is_taken_whatever_main_has_become(
    hub: Path, tiny_pipeline: Path, tmp_path: Path, asked: str
) -> None:
    put(hub, "org/classes", tiny_pipeline)
    old = save_tiny_ddpm(tmp_path / "saved", rows=2, names=["female", "male"])
    put(hub, "org/classes", old, revision="1" * 40, ref="v1")
    source = open_model(f"org/classes@{asked}")
    assert source.fingerprint() == {"hub": f"org/classes@{asked}", "revision": "1" * 40}
    assert source.load(CPU, SamplingPlan()).encode("male").tokens.tolist() == [0, 1]
    with pytest.raises(UsageError, match="run `fairaudit fetch hf:org/classes@v2`"):
        open_model("org/classes@v2").defaults()


def test_a_folder_may_have_an_at_in_its_name(tiny_pipeline: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine@home"
    shutil.copytree(tiny_pipeline, folder)
    assert open_model(str(folder)).defaults() == Defaults(50, 7.5)
    open_model(str(folder)).load(CPU, SamplingPlan())


@pytest.mark.parametrize("names", [None, ["female", "male"]])
def test_names_of_classes_come_from_the_hub_too(hub: Path, tmp_path: Path, names: list[str] | None) -> None:
    put(hub, "org/classes", save_tiny_ddpm(tmp_path / "saved", rows=2, names=names))
    model = open_model("org/classes").load(CPU, SamplingPlan())
    assert model.encode("male" if names else "1").tokens.tolist() == [0, 1]


def test_a_model_that_is_not_there_says_what_to_fetch(hub: Path) -> None:
    for ask in (lambda source: source.defaults(), lambda source: source.load(CPU, SamplingPlan())):
        with pytest.raises(UsageError, match="run `fairaudit fetch hf:org/none`") as caught:
            ask(open_model("org/none"))
        assert "\n" not in str(caught.value)


def test_what_a_model_is_deployed_with() -> None:
    assert open_model("builtin:faces64").defaults() == Defaults(20, 1.75)
    assert open_model("analytic:gmm").defaults() == Defaults(50, 1.0)


def test_the_mixture_is_a_model_as_any_other() -> None:
    source = open_model("analytic:gmm")
    model = source.load(CPU, SamplingPlan())
    pictures = model.decode(torch.zeros(2, *model.latent_shape))
    assert pictures.dtype == np.uint8
    assert source.truth is not None
    shares = source.truth["nurse"]["gender"]
    assert sum(shares.values()) == pytest.approx(1)
    with pytest.raises(UsageError, match="pictures of one size"):
        source.load(CPU, SamplingPlan(height=64))


@pytest.mark.parametrize("name", ["faces64", "builtin:faces65", "./nowhere", "a/b/c", "analytic:gm"])
def test_names_that_are_no_model_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"is no model|unknown built-in model"):
        open_model(name)
