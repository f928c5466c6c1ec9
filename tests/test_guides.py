"""The classifiers that samplers may follow, and who offers them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fairaudit.classifiers.faces64 import Faces64Classifier, load
from torch import Tensor

from fairaudit.attributes import get_attribute, join
from fairaudit.guides import gradient, make_guides, offered
from fairaudit.labelling import ClassifierRequest
from fairaudit.levels import Level
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.needs import Need
from tests.samplers.mixtures import AGE, mixture_model
from tests.test_heads import random_heads

GENDER, RACE = get_attribute("gender"), get_attribute("race")


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


@pytest.fixture(scope="module")
def classifier() -> Faces64Classifier:
    return load(ClassifierRequest(torch.device("cpu")))


def test_the_clean_judge_is_the_classifier_of_the_decoded_picture(
    model: StableDiffusion, classifier: Faces64Classifier
) -> None:
    latents = torch.randn(3, *model.latent_shape, generator=torch.Generator().manual_seed(0)) / 2
    judge = make_guides(model, classifier, GENDER, "a nurse").clean
    assert judge is not None
    with torch.no_grad():
        found = judge(latents).exp()
        expected = classifier.log_probabilities(model.picture(latents), "gender").exp()
    torch.testing.assert_close(found, expected)
    assert found.sum(1).tolist() == pytest.approx([1, 1, 1])


def test_log_probabilities_are_what_the_classifier_reads(classifier: Faces64Classifier) -> None:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(3)]
    reading = classifier.read(pictures)
    signed = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 127.5 - 1
    # A larger, wider picture with the same square in its middle.
    wide = torch.nn.functional.pad(signed.repeat_interleave(2, 2).repeat_interleave(2, 3), (20, 20))
    for name, probabilities in reading.probabilities.items():
        with torch.no_grad():
            found = classifier.log_probabilities(signed, name).exp()
            resized = classifier.log_probabilities(wide, name).exp()
        np.testing.assert_allclose(found, probabilities, atol=1e-5)
        np.testing.assert_allclose(resized, probabilities, atol=0.1)


def test_joint_values_are_products_of_their_parts(
    model: StableDiffusion, classifier: Faces64Classifier
) -> None:
    both = join([GENDER, RACE])
    latents = torch.randn(2, *model.latent_shape, generator=torch.Generator().manual_seed(0)) / 2
    gender, race, joint = (
        make_guides(model, classifier, one, "a nurse").clean(latents).exp()  # type: ignore[misc]
        for one in (GENDER, RACE, both)
    )
    for column, value in enumerate(both.values):
        first, second = both.split(value)
        expected = gender[:, GENDER.values.index(first)] * race[:, RACE.values.index(second)]
        torch.testing.assert_close(joint[:, column], expected)


def test_a_gradient_is_the_same_in_pieces(
    model: StableDiffusion, classifier: Faces64Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    latents = torch.randn(3, *model.latent_shape, generator=torch.Generator().manual_seed(1)) / 2
    judge = make_guides(model, classifier, GENDER, "a nurse").clean
    assert judge is not None
    whole = gradient(lambda x: judge(x)[:, 0], latents)
    monkeypatch.setattr("fairaudit.guides.CHUNK", 1)
    pieces = gradient(lambda x: judge(x)[:, 0], latents)
    torch.testing.assert_close(pieces, whole, rtol=1e-3, atol=1e-6)
    assert float(whole.abs().max()) > 0
    # A difference quotient, in the direction of the gradient.
    direction = whole / whole.norm()
    ends = [float(judge(latents + step * direction)[:, 0].sum().detach()) for step in (-0.01, 0.01)]
    assert (ends[1] - ends[0]) / 0.02 == pytest.approx(float(whole.norm()), rel=0.05)


@dataclass
class HalfDecoder:
    """A generator in half precision, whose decoder halves what it is given."""

    dtype: torch.dtype = torch.float16

    def picture(self, latents: Tensor) -> Tensor:
        assert latents.dtype == self.dtype
        return latents * 0.5


class Faint:
    """A classifier whose gradient, 2e-8 a number, half precision rounds to nothing."""

    values = {"gender": GENDER.values}  # noqa: RUF012

    def log_probabilities(self, pictures: Tensor, attribute: str) -> Tensor:
        score = 2e-8 * pictures.flatten(1).sum(1, keepdim=True)
        return torch.cat([score, -score], 1)


def test_small_gradients_survive_half_precision() -> None:
    denoiser: Any = HalfDecoder()
    judge = make_guides(denoiser, Faint(), GENDER, "a nurse").clean
    assert judge is not None
    found = gradient(lambda x: judge(x)[:, 0], torch.ones(2, 3, 4, 4, dtype=torch.float16))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, torch.full((2, 3, 4, 4), 1e-8), rtol=0.01, atol=0)
    with torch.no_grad():
        assert judge(torch.ones(1, 3, 4, 4)).shape == (1, 2)


def test_a_mixture_follows_its_own_posterior(classifier: Faces64Classifier) -> None:
    mixture = mixture_model((GENDER, AGE), [[-1.0], [-0.5], [0.5], [1.0]], [0.4, 0.3, 0.2, 0.1])
    guides = make_guides(mixture, classifier, GENDER, "a photo of a nurse")
    assert guides.noisy is not None
    # At nearly pure noise the posterior is the prior of the prompt.
    far = guides.noisy(torch.zeros(1, 1, dtype=torch.float64), Level(1e-6, 1.0)).exp()
    torch.testing.assert_close(far, torch.tensor([[0.7, 0.3]], dtype=torch.float64), atol=1e-4, rtol=0)


def test_offers_are_what_is_there(model: StableDiffusion, classifier: Faces64Classifier) -> None:
    heads = random_heads()
    both = join([GENDER, RACE])
    bare = offered(model, None, None, False, GENDER)
    assert bare == model.offers - {Need.HIDDEN}
    assert offered(model, classifier, None, False, GENDER) == bare | {Need.CLEAN}
    assert offered(model, classifier, heads, True, both) == bare | {
        Need.CLEAN, Need.HIDDEN, Need.STOCHASTIC, Need.SEVERAL,
    }  # fmt: skip
    unread = replace(GENDER, name="hair")
    assert offered(model, classifier, heads, False, unread) == bare
    assert make_guides(model, classifier, unread, "a nurse", heads).clean is None


def test_heads_do_not_help_a_model_without_a_middle_block() -> None:
    mixture = mixture_model((GENDER,), [[-1.0], [1.0]], [0.5, 0.5])
    assert Need.HIDDEN not in offered(mixture, None, random_heads(), False, GENDER)
