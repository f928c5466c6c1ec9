"""Mixing against the two laws that it samples from exactly on Gaussian mixtures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.mixing import Mixing
from fairaudit.samplers.prompt_intervention import PromptIntervention

from fairaudit.models.diffusers import StableDiffusion
from tests.samplers.mixtures import GENDER, mixture_model, request_of
from tests.test_diffusion import REQUEST, run

WEIGHTS = [0.9, 0.1]


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


@pytest.mark.parametrize("of", ["embedding", "noise"])
@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_target_of_one_value_is_the_prompt_with_that_value(
    model: StableDiffusion, of: str, scale: float
) -> None:
    request = replace(REQUEST, target={"female": 0.0, "male": 1.0}, guidance_scale=scale)
    made = run(model, Mixing(of=of), PromptIntervention(), request=request)
    assert torch.equal(made["mixing"].latents, made["prompt-intervention"].latents)
    assert made["mixing"].assignment == (None,) * 4
    assert made["mixing"].evaluations == (6 if scale == 1 else 12)


def test_the_noise_of_two_modes_averages_to_the_mode_between_them() -> None:
    """The scores of N(3, s) and N(-1, s) average to that of N(1, s), so the pictures are its own."""
    apart = mixture_model((GENDER,), [[3.0], [-1.0]], WEIGHTS)
    between = mixture_model((GENDER,), [[1.0], [1.0]], WEIGHTS)
    request = request_of(GENDER, 30)
    mixed = run(apart, Mixing(of="noise"), request=request, steps=20)["mixing"]
    single = run(between, Baseline(), request=request, steps=20)["baseline"]
    torch.testing.assert_close(mixed.latents, single.latents)


def test_the_noise_is_averaged_by_the_targets_shares() -> None:
    apart = mixture_model((GENDER,), [[3.0], [-1.0]], WEIGHTS)
    between = mixture_model((GENDER,), [[0.0], [0.0]], WEIGHTS)
    request = replace(request_of(GENDER, 30), target={"female": 0.25, "male": 0.75})
    mixed = run(apart, Mixing(of="noise"), request=request, steps=20)["mixing"]
    single = run(between, Baseline(), request=request, steps=20)["baseline"]
    torch.testing.assert_close(mixed.latents, single.latents)


def test_the_embeddings_of_a_mixture_average_to_the_fair_mixture() -> None:
    """A condition that is the weight of components: mixing it samples the law with fair weights."""
    means = [[3.0], [-1.0]]
    request = request_of(GENDER, 30)
    mixed = run(mixture_model((GENDER,), means, WEIGHTS), Mixing(), request=request, steps=20)["mixing"]
    fair = run(mixture_model((GENDER,), means, [0.5, 0.5]), Baseline(), request=request, steps=20)
    torch.testing.assert_close(mixed.latents, fair["baseline"].latents)


def test_what_is_averaged_is_one_of_two_things() -> None:
    with pytest.raises(ValueError, match="embedding or noise"):
        Mixing(of="pixels")  # type: ignore[arg-type]
