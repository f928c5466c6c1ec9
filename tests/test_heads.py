"""Heads of the middle block: what they learn, where they are kept, and whom they refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from fairaudit.attributes import get_attribute, join
from fairaudit.errors import ModelError, UsageError
from fairaudit.head_training import balance, fit, train_heads
from fairaudit.heads import FILE, Heads, flat, identity, load_heads
from fairaudit.labelling import Calibration, Reading
from fairaudit.models.builtin import asset
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.plan import SamplingPlan
from fairaudit.recording import Recorded, Setting
from fairaudit.sources import open_model

GENDER, RACE = get_attribute("gender"), get_attribute("race")
MODEL = {"unet/model.safetensors": "aa", "scheduler/scheduler_config.json": "bb"}


def recorded(images: int = 400, prompts: int = 10) -> Recorded:
    """Features of which the first tells the gender, more clearly later; the second tells the prompt."""
    rng = np.random.default_rng(0)
    which = np.repeat(np.arange(prompts), images // prompts)
    # Gender goes with the prompt, as in occupations.
    labels = (rng.random(images) < np.where(which % 2 == 0, 0.9, 0.1)).astype(np.int64)
    features = rng.normal(size=(2, images, 16))
    for moment, clarity in enumerate((0.3, 3.0)):
        features[moment, :, 0] += clarity * (2 * labels - 1)
    features[:, :, 1] += 4.0 * (which % 2 == 0)
    return Recorded(torch.tensor([0.9, 0.2]), torch.from_numpy(features).half(), {"gender": labels}, which)


def random_heads() -> Heads:
    generator = torch.Generator().manual_seed(0)
    values = {"gender": GENDER.values, "race": RACE.values}
    return Heads(
        values,
        torch.tensor([0.9, 0.5, 0.1]),
        {name: torch.randn(3, len(v), 32, generator=generator) / 9 for name, v in values.items()},
        {name: torch.randn(3, len(v), generator=generator) for name, v in values.items()},
        identity(MODEL),
    )


def test_a_head_reads_the_value_and_not_the_prompt() -> None:
    """Later steps are read better; unseen prompts, in which the value goes the other way, as well."""
    data = recorded()
    heads, accuracies = fit(data, [GENDER], "model")
    early, late = accuracies["gender"].mean_recall
    assert 0.4 < early < 0.8
    assert late > 0.95
    assert accuracies["gender"].n == 80
    difference = heads.weights["gender"][1][1] - heads.weights["gender"][1][0]
    assert abs(float(difference[0])) > 5 * abs(float(difference[1]))


def test_every_value_weighs_the_same_within_every_prompt() -> None:
    data = recorded()
    weights, labels = balance(data.labels["gender"], data.prompts), data.labels["gender"]
    for prompt in range(10):
        mine = data.prompts == prompt
        per_value = [weights[mine & (labels == value)].sum() for value in (0, 1)]
        assert per_value[0] == pytest.approx(per_value[1])


def test_values_that_were_never_seen_are_never_read() -> None:
    data = recorded()
    few = replace(data, labels={"race": data.labels["gender"] * 3})
    heads, _ = fit(few, [RACE], "model")
    features = data.features[1, :, :, None, None].float()
    # Averaging to a grid repeats the one position.
    weights = {"race": heads.weights["race"].repeat_interleave(16, 2) / 16}
    read = replace(heads, weights=weights).judge(RACE)(features, 0.2).exp()
    assert float(read[:, [1, 2, 4, 5, 6]].max()) < 1e-4
    torch.testing.assert_close(read.sum(1), torch.ones(400))


def test_one_value_only_is_refused() -> None:
    data = replace(recorded(), labels={"gender": np.zeros(400, np.int64)})
    with pytest.raises(UsageError, match="one value of gender only"):
        fit(data, [GENDER], "model")


def test_the_nearest_time_reads_and_joint_values_are_products() -> None:
    heads = random_heads()
    hidden = torch.randn(5, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    gender, race = (heads.judge(one)(hidden, 0.45).exp() for one in (GENDER, RACE))
    logits = flat(hidden) @ heads.weights["gender"][1].T + heads.biases["gender"][1]
    torch.testing.assert_close(gender, logits.softmax(1))
    both = join([GENDER, RACE])
    joint = heads.judge(both)(hidden, 0.45).exp()
    for column, value in enumerate(both.values):
        first, second = both.split(value)
        expected = gender[:, GENDER.values.index(first)] * race[:, RACE.values.index(second)]
        torch.testing.assert_close(joint[:, column], expected)
    assert heads.cover(both)
    assert not heads.cover(get_attribute("age"))
    assert not heads.cover(replace(GENDER, words={"male": "male", "female": "female"}))


def test_pictures_of_another_size_have_as_many_features() -> None:
    assert flat(torch.ones(1, 2, 4, 4)).shape == flat(torch.ones(1, 2, 9, 7)).shape == (1, 32)
    hidden = torch.randn(1, 2, 4, 4)
    torch.testing.assert_close(flat(hidden), hidden.flatten(1))


def test_a_file_keeps_heads_for_their_model_alone(tmp_path: Path) -> None:
    heads, path = random_heads(), tmp_path / FILE
    heads.write(path)
    back = load_heads(path, {**MODEL, "scheduler/scheduler_config.json": "another", "vae/v.safetensors": "x"})
    assert back.values == heads.values
    hidden = torch.randn(3, 2, 4, 4)
    torch.testing.assert_close(
        back.judge(RACE)(hidden, 0.1), heads.judge(RACE)(hidden, 0.1), atol=0.01, rtol=0.01
    )
    for other in ({"unet/model.safetensors": "cc"}, {"hub": "org/model"}, {**MODEL, "lora.safetensors": "l"}):
        with pytest.raises(ModelError, match="belong to another model"):
            load_heads(path, other)


def test_what_is_no_heads_is_refused_in_a_sentence(tmp_path: Path) -> None:
    whole = random_heads()
    whole.write(tmp_path / "whole")
    content = (tmp_path / "whole").read_bytes()
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("no heads\n" * 100)
    (tmp_path / "cut").write_bytes(content[:-100])
    save_file({"weight": torch.ones(2)}, tmp_path / "other")
    save_file({"times": torch.ones(2)}, tmp_path / "values", {"values": "[1]", "model": "x"})
    replace(whole, weights={**whole.weights, "race": torch.ones(3, 2, 32)}).write(tmp_path / "shape")
    replace(whole, weights={**whole.weights, "race": torch.full((3, 7, 32), torch.nan)}).write(
        tmp_path / "nan"
    )
    for name in ("empty", "text", "cut", "other", "values", "shape", "nan"):
        with pytest.raises(ModelError, match="holds no heads"):
            load_heads(tmp_path / name, MODEL)
    with pytest.raises(ModelError, match=r"cannot read the heads: .*missing"):
        load_heads(tmp_path / "missing", MODEL)


class Brightness:
    """A classifier that calls bright pictures female; as many as not."""

    name = "brightness"
    values: Mapping[str, tuple[str, ...]] = {"gender": GENDER.values}

    def read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        bright = np.array([image.mean() for image in images], dtype=np.float32)
        female = (bright > np.median(bright)).astype(np.float32)
        return Reading({"gender": np.stack([female, 1 - female], 1)}, bright[:, None])

    def calibration(self, attribute: str) -> Calibration | None:
        return None

    def fingerprint(self) -> Mapping[str, str]:
        return {}


def test_training_on_a_pipeline(tiny_pipeline: Path, tmp_path: Path) -> None:
    model = StableDiffusion(str(tiny_pipeline), torch.device("cpu"))
    plan = SamplingPlan(images_per_prompt=6, steps=2, block=4, scheduler="ddim")
    setting = Setting(model, Brightness(), [GENDER], ["a nurse", "a doctor"], plan)
    told: list[int] = []
    source = open_model(str(tiny_pipeline))
    accuracies = train_heads(setting, source.fingerprint(), tmp_path / FILE, told.append)
    assert told == [4, 2, 4, 2]
    assert len(accuracies["gender"].mean_recall) == 2
    heads = load_heads(tmp_path / FILE, source.fingerprint())
    assert heads.times.tolist() == pytest.approx(list(accuracies["gender"].times))
    assert heads.judge(GENDER)(torch.ones(2, 32, 4, 4), 1.0).shape == (2, 2)


def test_a_model_without_a_middle_block_is_refused(tmp_path: Path) -> None:
    model: Any = open_model("analytic:gmm").load(torch.device("cpu"), SamplingPlan())
    setting = Setting(model, Brightness(), [GENDER], ["a nurse"], SamplingPlan())
    with pytest.raises(UsageError, match="middle block"):
        train_heads(setting, {}, tmp_path / FILE)
    assert not (tmp_path / FILE).exists()


def test_the_built_in_models_heads_are_its_own() -> None:
    heads = load_heads(asset("faces64") / FILE, open_model("builtin:faces64").fingerprint())
    assert all(heads.cover(attribute) for attribute in map(get_attribute, ("gender", "race", "age")))
    assert heads.judge(GENDER)(torch.zeros(2, 224, 4, 4), 0.5).shape == (2, 2)
