"""Latent variable guidance: its weights against the exact posterior, its images against the target."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
import torch
from fairaudit.samplers.latent_variable import LatentVariable
from torch import Tensor

from fairaudit.asking import Room
from fairaudit.diffusion import Sampled, sample
from fairaudit.levels import View
from fairaudit.needs import Need
from fairaudit.sampling import Request, Step
from tests.samplers.mixtures import GENDER, mixture_model, request_of

MEANS = [[-1.2, 0.4], [0.9, -0.3]]
MODEL = mixture_model((GENDER,), MEANS, [0.85, 0.15], deviation=0.7)
TARGET = mixture_model((GENDER,), MEANS, [0.4, 0.6], deviation=0.7)
"""The law that the sampler aims at: the same values in the target's shares."""


@dataclass(frozen=True)
class Watched(LatentVariable):
    """Notes how far its weights are from the exact posterior."""

    errors: list[float] = field(default_factory=list, hash=False, compare=False)

    def steer(self, output: Tensor, view: View, step: Step) -> Tensor:
        steered = super().steer(output, view, step)
        exact = TARGET.guides(GENDER, "a photo of a nurse").noisy
        assert exact is not None
        weights = step.memory["log weights"].softmax(0)[0]
        error = weights - exact(view.x, view.level).exp()[:, 0]
        self.errors.append(float(error.abs().mean()))
        return steered


def run(sampler: LatentVariable, request: Request, scheduler: str, steps: int) -> Sampled:
    return sample(MODEL, [sampler], request, scheduler=scheduler, steps=steps, room=Room(600))[sampler.name]


def request(count: int) -> Request:
    return replace(request_of(GENDER, count), target={"female": 0.4, "male": 0.6})


def test_weights_approach_the_exact_posterior_as_steps_grow_finer() -> None:
    errors = []
    for steps in (6, 24, 96):
        watched = Watched()
        run(watched, request(60), "ddpm", steps)
        errors.append(sum(watched.errors) / steps)
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]
    assert errors[2] < 0.01


@pytest.mark.parametrize("scheduler", ["ddpm", "euler-ancestral"])
def test_shares_and_moments_are_those_of_the_target(scheduler: str) -> None:
    made = run(LatentVariable(), request(500), scheduler, 40).latents
    exact = TARGET.guides(GENDER, "a photo of a nurse").clean
    assert exact is not None
    # Three standard errors of 500 images.
    assert float(exact(made).exp()[:, 0].mean()) == pytest.approx(0.4, abs=0.066)
    torch.testing.assert_close(made.mean(0), TARGET.mixture.mean(), atol=0.16, rtol=0)
    torch.testing.assert_close(made.T.cov(), TARGET.mixture.covariance(), atol=0.25, rtol=0)


def test_a_single_value_is_its_condition() -> None:
    """With all of the target on one value, only that value is followed."""
    only = replace(request(40), target={"female": 0.0, "male": 1.0})
    made = run(LatentVariable(), only, "ddpm", 20)
    exact = TARGET.guides(GENDER, "a photo of a nurse").clean
    assert exact is not None
    assert made.latents.isfinite().all()
    assert float(made.latents[:, 0].mean()) == pytest.approx(0.9, abs=0.4)


def test_it_asks_for_every_value_and_needs_noise_at_every_step() -> None:
    guided = replace(request(3), guidance_scale=3.0)
    step = Step(0, 10, 1.0, guided, (None,) * 3)
    assert LatentVariable().conditions(step) == (
        ("",) * 3,
        ("a photo of a female nurse",) * 3,
        ("a photo of a male nurse",) * 3,
    )
    assert Need.STOCHASTIC in LatentVariable().needs
