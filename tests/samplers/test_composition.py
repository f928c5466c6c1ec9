"""Several attributes together: composable and GCDM against exact joint laws."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.composable import Composable
from fairaudit.samplers.gcdm import GCDM
from fairaudit.samplers.prompt_intervention import PromptIntervention

from fairaudit.attributes import get_attribute, join
from fairaudit.composition import attribute_weights
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.needs import Need
from fairaudit.sampling import Request, Step, balanced_assignment
from tests.samplers.mixtures import AGE, BOTH, GENDER, mixture_model, request_of
from tests.test_diffusion import REQUEST, run

THREE = join([get_attribute("gender"), get_attribute("race"), get_attribute("age")])


def of(attribute: object) -> Request:
    values = attribute.values  # type: ignore[attr-defined]
    return replace(REQUEST, attribute=attribute, target=dict.fromkeys(values, 1 / len(values)))


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_the_ends_of_lambda(model: StableDiffusion, scale: float) -> None:
    """Lambda 1 asks for all values together, lambda 0 for each alone."""
    request = replace(of(BOTH), guidance_scale=scale)
    together, alone = GCDM(joint=1.0, name="together"), GCDM(joint=0.0, name="alone")
    made = run(model, together, alone, Composable(), PromptIntervention(), request=request)
    expected = made["prompt-intervention"].latents
    torch.testing.assert_close(made["together"].latents, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(made["alone"].latents, made["composable"].latents, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(made["alone"].latents, expected, rtol=1e-2, atol=1e-2)
    assert made["composable"].assignment == made["prompt-intervention"].assignment


def test_without_strength_they_are_the_baseline(model: StableDiffusion) -> None:
    made = run(model, Baseline(), Composable(alpha=0.0), GCDM(alpha=0.0), request=of(BOTH))
    for name in ("composable", "gcdm"):
        assert torch.equal(made[name].latents, made["baseline"].latents)


def test_the_cost_is_one_evaluation_per_attribute_and_one_for_all(model: StableDiffusion) -> None:
    for scale, plain in ((1.0, 1), (4.0, 2)):
        made = run(model, Composable(), GCDM(), request=replace(of(THREE), guidance_scale=scale), steps=2)
        assert made["composable"].evaluations == 2 * (plain + 3)
        assert made["gcdm"].evaluations == 2 * (plain + 4)


def test_texts_name_one_attribute_each() -> None:
    request = of(THREE)
    assignment = ("female | White | 0-2",) * 4
    texts = [c[0] for c in GCDM().conditions(Step(0, 10, 1.0, request, assignment))]
    assert texts == [
        "",
        "a photo of a nurse",
        "a photo of a baby white female nurse",
        "a photo of a female nurse",
        "a photo of a white nurse",
        "a photo of a baby nurse",
    ]


def test_gcdm_by_hand() -> None:
    """s_0 + 3 (s_0 - s_u) ... with numbers: 1 + 2 [0.75 (5 - 1) + 0.25 ((2 - 1) + (4 - 1))]."""
    request = replace(of(BOTH), indices=(0,), guidance_scale=2.0)
    step = Step(0, 10, 1.0, request, balanced_assignment(request))
    empty, neutral, joint, first, second = (torch.full((1, 1), float(n)) for n in (0, 1, 5, 2, 4))
    combined = GCDM(joint=0.75).combine((empty, neutral, joint, first, second), step)
    assert float(combined) == pytest.approx(2 + 2 * (0.75 * 4 + 0.25 * (1 + 3)))


IMAGES = 250
CELLS = [[1.2, 1.2], [1.2, -1.2], [-1.2, 1.2], [-1.2, -1.2]]


def quadrant(weights: list[float], scheduler: str, steps: int, **samplers: float) -> dict[str, torch.Tensor]:
    """Latents under GCDM at several lambdas, all images asked for the first of the four cells."""
    model = mixture_model((GENDER, AGE), CELLS, weights, deviation=0.6)
    request = replace(
        request_of(BOTH, IMAGES), target={value: float(value == BOTH.values[0]) for value in BOTH.values}
    )
    some: list[Any] = [GCDM(joint=joint, name=name) for name, joint in samplers.items()]
    if "together" not in samplers:
        some.append(PromptIntervention())
    made = run(model, *some, request=request, scheduler=scheduler, steps=steps, batch=IMAGES)
    return {name: result.latents for name, result in made.items()}


def test_attributes_that_are_independent_compose_exactly() -> None:
    latents = quadrant([0.25] * 4, "ddim", 20, alone=0.0, half=0.5)
    torch.testing.assert_close(latents["alone"], latents["prompt-intervention"])
    torch.testing.assert_close(latents["half"], latents["prompt-intervention"])


def test_attributes_that_depend_on_each_other_need_the_joint_condition() -> None:
    """Anti-correlated attributes: the share in the cell is Phi(2)^2 under the exact joint condition.

    For less of it an independent simulation, by ancestral steps on these cells, found 0.749 and 0.918.
    """
    latents = quadrant([0.05, 0.45, 0.45, 0.05], "ddpm", 60, alone=0.0, half=0.5, together=1.0)
    exact = (0.5 * (1 + math.erf(2 / math.sqrt(2)))) ** 2
    for name, share in (("alone", 0.749), ("half", 0.918), ("together", exact)):
        found = float((latents[name] > 0).all(1).double().mean())
        assert found == pytest.approx(share, abs=3 * math.sqrt(share * (1 - share) / IMAGES)), name
    spreads = [float(latents[name].std(0).mean()) for name in ("alone", "half", "together")]
    assert spreads == sorted(spreads, reverse=True)


def test_weights_hand_over_from_the_first_attribute_to_the_others() -> None:
    assert attribute_weights("constant", 0.3, 3) == (1.0, 1.0, 1.0)
    assert attribute_weights("sigmoid", 0.55, 2) == pytest.approx((0.5, 0.5))
    # a (t - b) = 0.025 (950 - 550) = 10 and 0.025 (150 - 550) = -10.
    assert attribute_weights("sigmoid", 0.95, 2) == pytest.approx((1 - 4.54e-5, 4.54e-5), rel=1e-3)
    assert attribute_weights("sigmoid", 0.15, 3) == pytest.approx(
        (4.54e-5, 1 - 4.54e-5, 1 - 4.54e-5), rel=1e-3
    )


def test_schedules_change_the_picture(model: StableDiffusion) -> None:
    made = run(model, Composable(), Composable(schedule="sigmoid", name="scheduled"), request=of(BOTH))
    assert not torch.equal(made["composable"].latents, made["scheduled"].latents)


@pytest.mark.parametrize("sampler", [Composable, GCDM])
def test_what_they_take(sampler: type) -> None:
    assert sampler().needs == {Need.VALUES, Need.SEVERAL}
    with pytest.raises(ValueError, match="constant or sigmoid"):
        sampler(schedule="linear")
    with pytest.raises(ValueError, match="alpha is a finite number"):
        sampler(alpha=math.inf)


def test_lambda_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="joint lies in"):
        GCDM(joint=1.5)
