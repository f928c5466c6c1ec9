"""The loop: equal to the model's own pipeline, and the same whatever is computed beside an image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.guidance import Guidance
from fairaudit.samplers.switching import Switching

from fairaudit.asking import Room
from fairaudit.attributes import get_attribute
from fairaudit.diffusion import Sampled, initial_noise, sample
from fairaudit.embedding import Embedding
from fairaudit.models.diffusers import StableDiffusion, quiet
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request, Sampler

REQUEST = Request(
    prompt=Prompt("a photo of a {attribute} nurse"),
    indices=(0, 1, 2, 3),
    attribute=get_attribute("gender"),
    target={"female": 0.5, "male": 0.5},
    guidance_scale=4.0,
    seed=7,
)


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


def run(
    model: StableDiffusion,
    *samplers: Sampler,
    request: Request = REQUEST,
    scheduler: str = "ddim",
    steps: int = 6,
    batch: int = 8,
) -> dict[str, Sampled]:
    return sample(model, samplers, request, scheduler=scheduler, steps=steps, room=Room(batch))


@pytest.mark.parametrize("scheduler", ["ddim", "dpmsolver++"])
def test_baseline_is_the_models_own_pipeline(
    model: StableDiffusion, tiny_pipeline: Path, scheduler: str
) -> None:
    with quiet():
        pipeline = StableDiffusionPipeline.from_pretrained(tiny_pipeline, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    if scheduler == "dpmsolver++":
        pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    noise, _ = initial_noise(REQUEST, model.latent_shape)
    theirs = pipeline(
        list(REQUEST.neutral), latents=noise, num_inference_steps=6, guidance_scale=4.0, output_type="np"
    ).images
    ours = model.decode(run(model, Baseline(), scheduler=scheduler)["baseline"].latents)
    np.testing.assert_allclose(ours, np.round(theirs * 255), atol=1)


def test_noise_depends_on_seed_prompt_and_index_alone(model: StableDiffusion) -> None:
    def first(request: Request) -> torch.Tensor:
        return initial_noise(request, model.latent_shape)[0][0]

    alone = first(replace(REQUEST, indices=(2,)))
    assert torch.equal(alone, initial_noise(REQUEST, model.latent_shape)[0][2])
    assert torch.equal(alone, first(replace(REQUEST, indices=(2,), guidance_scale=1.0)))
    for other in (
        replace(REQUEST, indices=(3,)),
        replace(REQUEST, indices=(2,), seed=8),
        replace(REQUEST, indices=(2,), prompt=Prompt("a photo of a {attribute} doctor")),
    ):
        assert not torch.equal(alone, first(other))


def test_noise_is_standard_normal() -> None:
    noise, _ = initial_noise(replace(REQUEST, indices=tuple(range(400))), (4, 8, 8))
    assert abs(float(noise.mean())) < 0.02
    assert abs(float(noise.std()) - 1) < 0.02


def test_an_image_does_not_depend_on_its_block_or_on_other_samplers(model: StableDiffusion) -> None:
    samplers = (Baseline(), Guidance(), Switching())
    together = run(model, *samplers)
    for sampler in samplers:
        alone = run(model, sampler, request=replace(REQUEST, indices=(2,)))[sampler.name]
        assert torch.equal(alone.latents[0], together[sampler.name].latents[2])
        assert alone.assignment[0] == together[sampler.name].assignment[2]


def test_another_batch_changes_no_more_than_rounding(model: StableDiffusion) -> None:
    one, many = (run(model, Baseline(), batch=batch)["baseline"].latents for batch in (1, 32))
    torch.testing.assert_close(one, many, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scheduler", ["ddim", "dpmsolver++"])
def test_shared_prefix_gives_what_separate_runs_give(model: StableDiffusion, scheduler: str) -> None:
    """Multistep history must not leak between samplers that part half-way."""
    early, late = Switching(tau=0.3, name="early"), Switching(tau=0.7, name="late")
    together = run(model, early, late, scheduler=scheduler)
    for sampler in (early, late):
        alone = run(model, sampler, scheduler=scheduler)[sampler.name]
        assert torch.equal(alone.latents, together[sampler.name].latents)
    assert not torch.equal(together["early"].latents, together["late"].latents)


def test_shared_prefix_asks_the_network_once(model: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 0
    predict = model.predict

    def counting(x: torch.Tensor, t: torch.Tensor, condition: Embedding) -> torch.Tensor:
        nonlocal rows
        rows += len(x)
        return predict(x, t, condition)

    monkeypatch.setattr(model, "predict", counting)
    run(model, Switching(tau=0.0, name="never"), Switching(tau=0.0, name="same"), batch=4)
    assert rows == 2 * 6 * len(REQUEST.indices)


def test_evaluations_are_those_of_the_sampler_alone(model: StableDiffusion) -> None:
    results = run(model, Baseline(), Guidance(), Switching())
    evaluations = {name: result.evaluations for name, result in results.items()}
    assert evaluations == {"baseline": 12, "guidance": 24, "switching": 12}
