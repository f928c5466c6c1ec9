"""DeCoDi against Safe Latent Diffusion, whose update it takes, and the rule of its threshold by hand."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipelineSafe
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.decodi import DeCoDi
from torch import Tensor

from fairaudit.diffusion import initial_noise
from fairaudit.models.diffusers import StableDiffusion, quiet
from fairaudit.sampling import Step, no_assignment
from tests.samplers.mixtures import BOTH
from tests.test_diffusion import REQUEST, run

BIAS = "woman, feminine, makeup"
STEPS = 8


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"scale": 4.0, "threshold": 0.02}, {"sld_guidance_scale": 4.0, "sld_threshold": 0.02}),
        (
            {"warm_up": 0.5, "momentum": 0.9, "beta": 0.2},
            {"sld_warmup_steps": 4, "sld_momentum_scale": 0.9, "sld_mom_beta": 0.2},
        ),
    ],
)
def test_it_is_safe_latent_diffusion_of_the_bias(
    model: StableDiffusion, tiny_pipeline: Path, ours: dict[str, float], theirs: dict[str, Any]
) -> None:
    noise, _ = initial_noise(REQUEST, model.latent_shape)
    arguments: dict[str, Any] = {
        "sld_guidance_scale": 2000, "sld_threshold": 1.0, "sld_warmup_steps": 2,
        "sld_momentum_scale": 0.5, "sld_mom_beta": 0.7, **theirs,
    }  # fmt: skip
    latents: list[Tensor] = []
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = StableDiffusionPipelineSafe.from_pretrained(tiny_pipeline, safety_checker=None)
        pipeline.set_progress_bar_config(disable=True)
        pipeline.safety_concept = BIAS
        pipeline(
            list(REQUEST.neutral),
            latents=noise,
            num_inference_steps=STEPS,
            guidance_scale=4.0,
            callback=lambda index, t, x: latents.append(x),
            **arguments,
        )
    made = run(model, Baseline(), DeCoDi(bias_text=BIAS, **ours), steps=STEPS)
    torch.testing.assert_close(made["decodi"].latents, latents[-1], rtol=1e-4, atol=1e-4)
    assert float((made["decodi"].latents - made["baseline"].latents).abs().max()) > 1e-2


def test_without_scale_it_is_the_baseline(model: StableDiffusion) -> None:
    made = run(model, Baseline(), DeCoDi(scale=0.0))
    assert torch.equal(made["decodi"].latents, made["baseline"].latents)


def test_the_edit_begins_after_seven_of_fifty_steps_as_in_the_paper() -> None:
    steps = [Step(index, 50, 1 - index / 50, REQUEST, no_assignment(REQUEST)) for index in range(50)]
    edited = [DeCoDi().signature(step) != Baseline().signature(step) for step in steps]
    assert edited == [False] * 7 + [True] * 43


def test_the_threshold_is_signed() -> None:
    """Four positions with eps_p - eps_b = 0.3, 0.1, -0.1 and -0.6, of which the first reaches 0.2."""
    request = replace(REQUEST, indices=(0,), guidance_scale=2.0)
    sampler = DeCoDi(scale=2.0, threshold=0.2, warm_up=0.0, momentum=0.0)
    prompt, bias = torch.full((1, 1, 1, 4), 1.0), torch.tensor([[[[0.7, 0.9, 1.1, 1.6]]]])
    step = Step(0, 10, 1.0, request, no_assignment(request))
    combined = sampler.combine((torch.zeros_like(prompt), prompt, bias), step)
    # mu = 0, 0.2, 0.2 and 1 (of 1.2); the output is 2 (1 - mu eps_b).
    torch.testing.assert_close(combined.flatten(), torch.tensor([2.0, 1.64, 1.56, -1.2]))


def test_the_bias_is_the_words_of_all_values_unless_said() -> None:
    request = replace(REQUEST, attribute=BOTH)
    step = Step(0, 10, 1.0, request, no_assignment(request))
    assert DeCoDi().conditions(step)[2] == ("female, male, young, old",) * 4
    assert DeCoDi(bias_text=BIAS).conditions(step)[2] == (BIAS,) * 4


@pytest.mark.parametrize("wrong", [{"scale": -1.0}, {"warm_up": 2.0}, {"threshold": float("nan")}])
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DeCoDi(**wrong)  # type: ignore[arg-type]
