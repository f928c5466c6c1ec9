"""Models whose conditions are classes: named, numbered, mixed, and none at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.switching import Switching

from fairaudit.asking import Room
from fairaudit.diffusion import initial_noise, sample
from fairaudit.embedding import stack, weighted_sum
from fairaudit.errors import ModelError, UsageError
from fairaudit.models.diffusers import load
from fairaudit.models.families.base import Family
from fairaudit.models.loading import load_pipeline
from fairaudit.needs import Need
from fairaudit.prompts import Prompt
from tests.models.test_families import CPU, REQUEST
from tests.tiny import save_tiny_ddpm, save_tiny_dit

T = torch.tensor(500)
NAMED = replace(REQUEST, prompt=Prompt("{attribute}"))


def noise(model: Family) -> torch.Tensor:
    return initial_noise(REQUEST, model.latent_shape)[0]


@pytest.fixture(scope="module")
def dit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_dit(tmp_path_factory.mktemp("dit"))


@pytest.fixture(scope="module")
def with_null(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_ddpm(tmp_path_factory.mktemp("null"), rows=3, names=["female", "male"])


@pytest.fixture(scope="module")
def without_null(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_ddpm(tmp_path_factory.mktemp("classes"), rows=2, names=["female", "male"])


def test_weights_of_one_class_are_the_lookup_of_dit(dit: Path) -> None:
    model = load(str(dit), CPU)
    plain = load_pipeline(str(dit), "DiTPipeline", torch.float32).transformer
    x = noise(model)
    ours = model.predict(x, T, stack([model.encode(text) for text in ("207", "woman", "")]))
    with torch.no_grad():
        theirs = plain(x, timestep=T.expand(3), class_labels=torch.tensor([207, 0, 1000])).sample
    torch.testing.assert_close(ours, theirs[:, :4], atol=1e-6, rtol=1e-6)


def test_weights_of_one_class_are_the_lookup_of_the_unet(with_null: Path) -> None:
    model = load(str(with_null), CPU)
    plain = load_pipeline(str(with_null), "DDPMPipeline", torch.float32).unet
    x = noise(model)
    ours = model.predict(x, T, stack([model.encode(text) for text in ("male", "class 0", "")]))
    with torch.no_grad():
        theirs = plain(x, T, class_labels=torch.tensor([1, 0, 2])).sample
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)
    assert not torch.allclose(ours[0], model.predict(x, T, stack([model.encode("female")] * 3))[0], atol=1e-4)


def test_half_of_two_classes_is_half_of_their_embeddings(with_null: Path) -> None:
    """A third class whose row is the mean of two others gives what their mixture gives."""
    model = load(str(with_null), CPU)
    mixed = weighted_sum([model.encode("female"), model.encode("male")], [0.5, 0.5])
    x = noise(model)
    ours = model.predict(x, T, stack([mixed] * 3))
    table = model.network.class_embedding.weight
    table.data[2] = table.data[:2].mean(0)
    torch.testing.assert_close(ours, model.predict(x, T, stack([model.encode("")] * 3)))


def test_classes_are_asked_for_by_name_and_number(dit: Path) -> None:
    model = load(str(dit), CPU)
    for text, number in (
        ("male", 1),
        ("female", 0),
        ("woman", 0),
        ("207", 207),
        ("class 999", 999),
        ("", 1000),
    ):
        tokens = model.encode(text).tokens
        assert tokens.argmax() == number
        assert tokens.sum() == 1
    assert model.offers == {Need.VALUES, Need.EMPTY, Need.SPATIAL}


@pytest.mark.parametrize("text", ["mail", "1000", "class 1000", "-1", "a photo of a nurse"])
def test_classes_that_are_none_are_refused(dit: Path, text: str) -> None:
    with pytest.raises(UsageError, match="unknown class"):
        load(str(dit), CPU).encode(text)


def test_without_names_classes_have_numbers(tmp_path: Path) -> None:
    model = load(str(save_tiny_ddpm(tmp_path, rows=2)), CPU)
    assert model.encode("1").tokens.tolist() == [0, 1]
    with pytest.raises(UsageError, match="this model's classes are 0 to 1, not 'female'"):
        model.encode("female")


def test_switching_asks_for_the_class_of_the_values_word(without_null: Path) -> None:
    """tau = 1 samples under the other class throughout: for two images, the classes exchanged."""
    model = load(str(without_null), CPU)
    request = replace(NAMED, guidance_scale=1.0, indices=(0, 1, 2, 3))
    made = sample(
        model, [Switching(tau=0.0, name="never"), Switching(tau=1.0, name="always")], request,
        scheduler="ddim", steps=3, room=Room(4),
    )  # fmt: skip
    starts = made["never"].assignment
    x, _ = initial_noise(request, model.latent_shape)
    for name, turn in (("never", 0), ("always", 1)):
        scheduler = model.scheduler("ddim", 3)
        steps = x
        for t in scheduler.timesteps:
            labels = [(("female", "male").index(str(value)) + turn) % 2 for value in starts]
            plain = model.predict(steps, t, stack([model.encode(str(label)) for label in labels]))
            steps = scheduler.step(plain, t, steps).prev_sample
        torch.testing.assert_close(made[name].latents, steps)


def test_without_a_null_class_nothing_is_empty(without_null: Path, with_null: Path) -> None:
    assert Need.EMPTY in load(str(with_null), CPU).offers
    model = load(str(without_null), CPU)
    assert Need.EMPTY not in model.offers
    assert Need.VALUES in model.offers
    with pytest.raises(UsageError, match="use --guidance-scale 1"):
        sample(
            model, [Baseline()], replace(NAMED, guidance_scale=4.0), scheduler="ddim", steps=2, room=Room(4)
        )


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c", "d"], ["a", "a"]])
def test_names_that_do_not_fit_the_table_are_refused(tmp_path: Path, names: list[str]) -> None:
    save_tiny_ddpm(tmp_path, rows=3, names=names)
    with pytest.raises(ModelError, match=r"classes\.json"):
        load(str(tmp_path), CPU)


def test_an_unconditional_model_is_told_nothing(tmp_path: Path) -> None:
    model = load(str(save_tiny_ddpm(tmp_path)), CPU)
    assert model.encode("whatever").tokens.shape == (0,)
    texts = sample(
        model, [Baseline()], replace(REQUEST, guidance_scale=1.0), scheduler="ddim", steps=2, room=Room(4)
    )
    assert texts["baseline"].evaluations == 2
