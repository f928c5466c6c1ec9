"""Classifier guidance against conditional laws that are known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.classifier_guidance import ClassifierGuidance
from torch import Tensor

from fairaudit.asking import Room
from fairaudit.diffusion import sample
from fairaudit.embedding import stack
from fairaudit.levels import Level, View, final_level, level_of
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.needs import Need
from fairaudit.sampling import Guides, Step, balanced_assignment
from tests.samplers.mixtures import GENDER, mixture_model, request_of
from tests.test_diffusion import REQUEST, run

MODEL = mixture_model((GENDER,), [[-1.0, 0.5], [0.8, -0.2]], [0.8, 0.2])


def test_the_exact_noisy_posterior_gives_the_conditional_law_at_every_step() -> None:
    request = request_of(GENDER, 6)
    request = replace(request, guides=MODEL.guides(GENDER, request.prompt.text))
    step = Step(0, 20, 1.0, request, balanced_assignment(request))
    scheduler = MODEL.scheduler("ddim", 20)
    sampler = ClassifierGuidance(through="noisy")
    x = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for t in scheduler.timesteps:
        view = View(x, level_of(scheduler, t), final_level(scheduler), "epsilon", ())
        neutral, conditional = (
            MODEL.predict(x, t, stack([MODEL.encode(text) for text in texts]))
            for texts in (request.neutral, request.with_values(step.assignment))
        )
        torch.testing.assert_close(sampler.steer(neutral, view, step), conditional, atol=1e-6, rtol=0)
        assert not torch.allclose(neutral, conditional, atol=1e-6)


@pytest.mark.parametrize("level", [Level(0.6, 0.8), Level(1.0, 3.0), Level(0.7, 0.3)])
def test_clean_guidance_is_exact_for_latents_of_unit_variance(level: Level) -> None:
    """A standard normal x0 with log p(a | x0) = c x0 + const becomes N(c, 1) on any schedule."""
    tilt = torch.tensor([0.3, -0.3])
    guides = Guides(clean=lambda latents: latents.sum(1, keepdim=True) * tilt)
    request = replace(request_of(GENDER, 2), guides=guides)
    step = Step(0, 1, 1.0, request, ("female", "male"))
    x = torch.tensor([[0.4], [-1.2]])
    view = View(x, level, level, "epsilon", ())
    spread = level.alpha**2 + level.sigma**2
    neutral = level.sigma * x / spread
    conditional = level.sigma * (x - level.alpha * tilt[:, None]) / spread
    steered = ClassifierGuidance(scale=1, through="clean").steer(neutral, view, step)
    torch.testing.assert_close(steered, conditional)


@pytest.mark.parametrize("through", ["clean", "noisy"])
def test_images_become_what_they_are_assigned(through: str) -> None:
    request = request_of(GENDER, 200)
    guides = MODEL.guides(GENDER, request.prompt.text)
    made = sample(
        MODEL,
        [Baseline(), ClassifierGuidance(scale=1.0, through=through)],  # type: ignore[arg-type]
        replace(request, guides=guides),
        scheduler="ddim",
        steps=20,
        room=Room(200),
    )
    assert guides.clean is not None
    women = {name: guides.clean(result.latents).exp()[:, 0] for name, result in made.items()}
    assert float(women["baseline"].mean()) == pytest.approx(0.8, abs=0.1)
    assert float(women["classifier-guidance"].mean()) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("through", ["clean", "noisy", "hidden"])
def test_scale_0_is_the_baseline(tiny_pipeline: Path, through: Any) -> None:
    model = StableDiffusion(str(tiny_pipeline), torch.device("cpu"))
    request = replace(REQUEST, guides=random_guides())
    made = run(model, Baseline(), ClassifierGuidance(scale=0, through=through), request=request, steps=2)
    # Questions with an edit go to the network in a call of another size.
    torch.testing.assert_close(made["classifier-guidance"].latents, made["baseline"].latents)
    moved = run(model, ClassifierGuidance(scale=5, through=through), request=request, steps=2)
    assert not torch.allclose(moved["classifier-guidance"].latents, made["baseline"].latents, atol=1e-3)


def random_guides() -> Guides:
    """Linear classifiers of the tiny pipeline's latents (4, 8, 8) and middle block (32, 4, 4)."""
    generator = torch.Generator().manual_seed(0)
    latents, hidden = (torch.randn(2, size, generator=generator) / 20 for size in (256, 512))

    def judge(weights: Tensor, x: Tensor) -> Tensor:
        return (x.flatten(1).float() @ weights.T).log_softmax(1)

    return Guides(
        clean=lambda x: judge(latents, x),
        noisy=lambda x, level: judge(latents, x),
        hidden=lambda h, time: judge(hidden, h),
    )


def test_the_middle_block_moves_towards_the_value_under_the_prompt_alone() -> None:
    guides = random_guides()
    request = replace(REQUEST, guides=guides)
    step = Step(0, 10, 1.0, request, balanced_assignment(request))
    hidden = torch.randn(4, 32, 4, 4, generator=torch.Generator().manual_seed(2))
    sampler = ClassifierGuidance(scale=0.01, through="hidden")
    assert torch.equal(sampler.edit(hidden, request.empty, step), hidden)
    moved = sampler.edit(hidden, request.neutral, step)
    assert guides.hidden is not None
    gained = guides.hidden(moved, 1.0) - guides.hidden(hidden, 1.0)
    for row, value in enumerate(step.assignment):
        assert value is not None
        assert gained[row, GENDER.values.index(value)] > 0


@pytest.mark.parametrize("through", ["clean", "noisy", "hidden"])
def test_it_needs_the_classifier_that_it_follows(through: Any) -> None:
    assert ClassifierGuidance(through=through).needs == {Need[through.upper()]}


@pytest.mark.parametrize("wrong", [{"scale": -1.0}, {"scale": math.inf}, {"through": "x"}])
def test_parameters_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"scale is|through is"):
        ClassifierGuidance(**wrong)
