"""Distribution guidance: the block's mean goes to the target."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.distribution_guidance import DistributionGuidance

from fairaudit.asking import Room
from fairaudit.diffusion import sample
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.needs import Need
from fairaudit.sampling import Guides, Request, Step, no_assignment
from tests.samplers.mixtures import AGE, BOTH, GENDER, mixture_model, request_of
from tests.samplers.test_classifier_guidance import random_guides
from tests.test_diffusion import REQUEST, run


def logits_themselves(request: Request) -> Step:
    """A middle block that is the logits, (n, K, 1, 1)."""
    request = replace(request, guides=Guides(hidden=lambda hidden, time: hidden.flatten(1)))
    return Step(0, 1, 1.0, request, no_assignment(request))


@pytest.mark.parametrize("count", [1, 2])
def test_chi_square_by_hand(count: int) -> None:
    """Logits of 0 are shares of a half; q = (3/4, 1/4).

    dL/dp = (-2/3, 2), dp_0/dlogit_0 = 1/4 / 8, so dL/dlogit_0 = (-2/3 - 2) / 32 = -1/12 for one image,
    and as much for each of two, whose mean has half the gradient.
    """
    request = replace(request_of(GENDER, count), target={"female": 0.75, "male": 0.25})
    step = logits_themselves(request)
    moved = DistributionGuidance(scale=12).edit(torch.zeros(count, 2, 1, 1), request.neutral, step)
    torch.testing.assert_close(moved.flatten(1), torch.tensor([[1.0, -1.0]]).expand(count, 2))


def test_kl_by_hand() -> None:
    """dL/dp_k = log(p_k / q_k) + 1 = log(2/3) + 1 and log 2 + 1; their difference is log 3, over 32."""
    request = replace(request_of(GENDER, 1), target={"female": 0.75, "male": 0.25})
    step = logits_themselves(request)
    sampler = DistributionGuidance(scale=32, loss="kl")
    moved = sampler.edit(torch.zeros(1, 2, 1, 1), request.neutral, step)
    torch.testing.assert_close(moved.flatten(), torch.tensor([1.0, -1.0]) * math.log(3))


@pytest.mark.parametrize("loss", ["chi-square", "kl"])
def test_a_block_that_meets_the_target_stays(loss: Any) -> None:
    request = request_of(GENDER, 2)
    hidden = torch.tensor([[3.0, 0.0], [0.0, 3.0]])[..., None, None]
    moved = DistributionGuidance(loss=loss).edit(hidden, request.neutral, logits_themselves(request))
    torch.testing.assert_close(moved, hidden, atol=1e-4, rtol=0)


def test_images_under_the_empty_text_stay() -> None:
    request = request_of(GENDER, 1)
    hidden = torch.tensor([[3.0, 0.0]])[..., None, None]
    assert torch.equal(DistributionGuidance().edit(hidden, request.empty, logits_themselves(request)), hidden)


def test_a_value_nobody_is_to_have_goes_down() -> None:
    request = replace(request_of(GENDER, 1), target={"female": 1.0, "male": 0.0})
    for loss in ("chi-square", "kl"):
        sampler = DistributionGuidance(loss=loss)  # type: ignore[arg-type]
        moved = sampler.edit(torch.zeros(1, 2, 1, 1), request.neutral, logits_themselves(request)).flatten()
        assert moved.isfinite().all()
        assert moved[0] > moved[1]


def test_shares_of_four_values_go_to_the_target() -> None:
    """Gender and age together, 48 : 32 : 12 : 8; the baseline is uneven, the guided block far less so."""
    means = [[-2.0, -2.0], [-2.0, 2.0], [2.0, -2.0], [2.0, 2.0]]
    model = mixture_model((GENDER, AGE), means, [0.48, 0.32, 0.12, 0.08], deviation=1.0)
    request = request_of(BOTH, 120)
    guides = model.guides(BOTH, request.prompt.text)
    made = sample(
        model,
        [Baseline(), DistributionGuidance(through="noisy")],
        replace(request, guides=guides),
        scheduler="ddim",
        steps=20,
        room=Room(120),
    )
    assert guides.clean is not None
    uneven = {}
    for name, result in made.items():
        labels = guides.clean(result.latents).argmax(1)
        uneven[name] = float((torch.bincount(labels, minlength=4) / 120 - 0.25).square().sum().sqrt())
    assert uneven["baseline"] > 0.25
    assert uneven["distribution-guidance"] < uneven["baseline"] / 3


@pytest.mark.parametrize("through", ["clean", "noisy", "hidden"])
def test_scale_0_is_the_baseline(tiny_pipeline: Path, through: Any) -> None:
    model = StableDiffusion(str(tiny_pipeline), torch.device("cpu"))
    request = replace(REQUEST, guides=random_guides(), target={"female": 0.9, "male": 0.1})
    made = run(model, Baseline(), DistributionGuidance(scale=0, through=through), request=request, steps=2)
    torch.testing.assert_close(made["distribution-guidance"].latents, made["baseline"].latents)
    moved = run(model, DistributionGuidance(scale=500, through=through), request=request, steps=2)
    assert not torch.allclose(moved["distribution-guidance"].latents, made["baseline"].latents, atol=1e-3)
    assert DistributionGuidance(through=through).needs == {Need[through.upper()]}


@pytest.mark.parametrize("wrong", [{"scale": -1.0}, {"scale": math.nan}, {"through": "x"}, {"loss": "l2"}])
def test_parameters_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"scale is|through is|loss is"):
        DistributionGuidance(**wrong)
