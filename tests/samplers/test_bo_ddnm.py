"""Inpainting against a Gaussian whose posterior is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.bo_ddnm import BiasOptimalInpainting
from torch import Tensor

from fairaudit.asking import Room
from fairaudit.diffusion import Loop, sample
from fairaudit.errors import UsageError
from fairaudit.generating import make_sampler
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.models.gaussian import GaussianModel
from fairaudit.models.meanings import Meanings
from fairaudit.models.mixtures import make_mixture
from fairaudit.plan import SamplerPlan
from tests.samplers.mixtures import GENDER, request_of
from tests.test_diffusion import REQUEST, run


def gaussian(correlation: float) -> GaussianModel:
    """Two positions side by side, standard normal with a correlation, whatever the value."""
    covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]])
    mixture = make_mixture(torch.zeros(2, 2), torch.stack([covariance] * 2), torch.ones(2))
    meanings = Meanings((GENDER,), (("female",), ("male",)), {"nurse": (1.0, 1.0)})
    return GaussianModel(mixture, meanings, (1, 1, 2))


def posterior(correlation: float, sigma_y: float, y: float) -> tuple[Tensor, Tensor]:
    """Mean and covariance of both positions, given the first with noise: Kalman's update."""
    prior = torch.tensor([[1.0, correlation], [correlation, 1.0]], dtype=torch.float64)
    gain = prior[:, 0] / (1 + sigma_y**2)
    return gain * y, prior - torch.outer(gain, prior[0])


def wasserstein(mean: Tensor, covariance: Tensor, other: tuple[Tensor, Tensor]) -> float:
    """The 2-Wasserstein distance of two Gaussians."""

    def root(matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        return vectors @ values.clamp(min=0).sqrt().diag() @ vectors.T

    half = root(covariance)
    cross = root(half @ other[1] @ half)
    square = (mean - other[0]).square().sum() + (covariance + other[1] - 2 * cross).trace()
    return float(square.clamp(min=0).sqrt())


@pytest.mark.parametrize(
    ("sigma_y", "correlation", "ddnm", "bo"),
    [(0.2, 0.0, 0.202, 0.046), (0.5, 0.6, 0.538, 0.310), (0.05, 0.9, 0.366, 0.363)],
)
def test_distance_to_the_true_posterior(sigma_y: float, correlation: float, ddnm: float, bo: float) -> None:
    """Distances found once by an independent script of exact scores, for y = 1.2."""
    model, count = gaussian(correlation), 500
    request = replace(
        request_of(GENDER, count), reference=torch.tensor([[[[1.2, 0.0]]]]).expand(count, 1, 1, 2)
    )
    truth = posterior(correlation, sigma_y, 1.2)
    for noise, expected in ((0.0, ddnm), (sigma_y, bo)):
        sampler = BiasOptimalInpainting(box=(0.0, 0.5, 1.0, 1.0), noise=noise)
        loop = Loop(model, [sampler], request, model.scheduler("ddpm", 50), Room(count))
        latents = loop.run(lambda fraction: None)[sampler.name].latents.flatten(1)
        assert wasserstein(latents.mean(0), latents.T.cov(), truth) == pytest.approx(expected, abs=0.07)


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "dpmsolver++", "ddpm"])
def test_outside_the_box_the_baselines_image_stays(tiny_pipeline: Path, scheduler: str) -> None:
    model = StableDiffusion(str(tiny_pipeline), torch.device("cpu"))
    sampler = BiasOptimalInpainting(box=(0.25, 0.25, 0.75, 0.75))
    made = sample(model, [sampler, Baseline()], REQUEST, scheduler=scheduler, steps=3, room=Room(8))
    edited, base = made["bo-ddnm"], made["baseline"]
    difference = (edited.latents - base.latents).abs().amax((0, 1))
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[2:6, 2:6] = True
    assert float(difference[inside].min()) > 1e-3
    # The scheduler's last step ends a little above no noise (final_alpha_cumprod).
    assert float(difference[~inside].max()) < 0.1
    if scheduler in ("euler", "dpmsolver++"):
        assert float(difference[~inside].max()) < 1e-3
    assert edited.evaluations == 2 * base.evaluations


def test_a_box_of_the_whole_picture_is_the_condition_alone(tiny_pipeline: Path) -> None:
    model = StableDiffusion(str(tiny_pipeline), torch.device("cpu"))
    whole = BiasOptimalInpainting(box=(0, 0, 1, 1), name="whole")
    made = run(model, Baseline(), whole, steps=2)
    plain = Loop(
        model,
        [replace(whole, name="plain")],
        replace(REQUEST, reference=torch.full((4, 4, 8, 8), 1e6)),
        model.scheduler("ddim", 2),
        Room(8),
    ).run(lambda fraction: None)["plain"]
    assert torch.equal(made["whole"].latents, plain.latents)


def test_a_plan_makes_it_from_texts() -> None:
    made = make_sampler(SamplerPlan(name="bo-ddnm", parameters={"box": [0, "0.1", 1, 0.5], "noise": "0.2"}))
    assert made == BiasOptimalInpainting(box=(0.0, 0.1, 1.0, 0.5), noise=0.2)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"box": [0.5, 0, 0.5, 1]}, "top < bottom"),
        ({"box": [0, 0, 1, 1.5]}, "in \\[0, 1\\]"),
        ({"box": [0, 0, 1]}, "box"),
        ({"noise": -1}, "noise is"),
        ({"noise": float("inf")}, "noise is"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make_sampler(SamplerPlan(name="bo-ddnm", parameters=parameters))
