"""Guidance against the pipeline that its authors published, and against the published rules by hand."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import SemanticStableDiffusionPipeline
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.guidance import Guidance

from fairaudit.attributes import get_attribute
from fairaudit.diffusion import initial_noise
from fairaudit.generating import make_sampler
from fairaudit.models import analytic
from fairaudit.models.diffusers import StableDiffusion, quiet
from fairaudit.plan import SamplerPlan
from fairaudit.sampling import Step, balanced_assignment
from tests.samplers.mixtures import BOTH, request_of
from tests.test_diffusion import REQUEST, run

STEPS = 8


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


@pytest.fixture(scope="module")
def published(tiny_pipeline: Path) -> Any:
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = SemanticStableDiffusionPipeline.from_pretrained(tiny_pipeline, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


# What our parameters are in the words of the pipeline, for concepts (towards, away).
CASES = {
    "the paper's": ({}, {}),
    "no momentum": ({"momentum": 0.0}, {"edit_momentum_scale": 0.0}),
    "one number each": (
        {"scale": 9.0, "threshold": 0.6, "warm_up": 0.5, "momentum": 0.8, "beta": 0.3},
        {"edit_guidance_scale": 9.0, "edit_threshold": 0.6, "edit_warmup_steps": 4,
         "edit_momentum_scale": 0.8, "edit_mom_beta": 0.3},
    ),
    "two numbers each": (
        {"scale": (9.0, 3.0), "threshold": (0.5, 0.8), "weight": (2.0, 0.7)},
        {"edit_guidance_scale": [9.0, 3.0], "edit_threshold": [0.5, 0.8], "edit_weights": [2.0, 0.7]},
    ),
    "one warm before the other": (
        {"warm_up": (0.25, 0.75), "weight": (2.0, 0.5)},
        {"edit_warmup_steps": [2, 6], "edit_weights": [2.0, 0.5]},
    ),
    "cooling down": ({"cool_down": (0.5, 0.75)}, {"edit_cooldown_steps": [4, 6]}),
    "towards alone": ({"push_away": False}, {"push_away": False}),
}  # fmt: skip


@pytest.mark.parametrize("case", list(CASES))
def test_it_is_the_published_pipeline(model: StableDiffusion, published: Any, case: str) -> None:
    """Final latents of both directions, the momentum carried over all steps."""
    ours, theirs = CASES[case]
    made = run(model, Guidance(**ours), steps=STEPS)["guidance"]
    assert set(made.assignment) == {"female", "male"}
    noise, _ = initial_noise(REQUEST, model.latent_shape)
    arguments: dict[str, Any] = {
        "edit_guidance_scale": 4, "edit_threshold": 0.95, "edit_warmup_steps": 1,
        "edit_momentum_scale": 0.5, "edit_mom_beta": 0.6, **theirs,
    }  # fmt: skip
    both = arguments.pop("push_away", True)
    for row, value in enumerate(made.assignment):
        concepts = [f"{value} person", *(f"{v} person" for v in ("female", "male") if v != value)]
        expected = published(
            REQUEST.prompt.text,
            latents=noise[row : row + 1].clone(),
            num_inference_steps=STEPS,
            guidance_scale=REQUEST.guidance_scale,
            editing_prompt=concepts if both else concepts[:1],
            reverse_editing_direction=[False, True] if both else [False],
            output_type="latent",
            **arguments,
        ).images
        torch.testing.assert_close(made.latents[row : row + 1], expected, rtol=1e-4, atol=1e-4)


def test_it_is_the_published_pipeline_for_seven_values(model: StableDiffusion, published: Any) -> None:
    """The six others share the weight of the one in the paper."""
    race = get_attribute("race")
    request = replace(
        REQUEST, indices=(0,), attribute=race, target={v: float(v == "Black") for v in race.values}
    )
    made = run(model, Guidance(), request=request, steps=STEPS)["guidance"]
    others = [value for value in race.values if value != "Black"]
    noise, _ = initial_noise(request, model.latent_shape)
    expected = published(
        request.prompt.text,
        latents=noise,
        num_inference_steps=STEPS,
        guidance_scale=request.guidance_scale,
        editing_prompt=[race.concept(value) for value in ("Black", *others)],
        reverse_editing_direction=[False] + [True] * 6,
        edit_guidance_scale=4, edit_threshold=0.95, edit_warmup_steps=1, edit_momentum_scale=0.5,
        edit_mom_beta=0.6, edit_weights=[1.0] + [1 / 6] * 6, output_type="latent",
    ).images  # fmt: skip
    torch.testing.assert_close(made.latents, expected, rtol=1e-4, atol=1e-4)
    assert made.evaluations == STEPS * (2 + 7)


def test_without_scale_it_is_the_baseline(model: StableDiffusion) -> None:
    made = run(model, Baseline(), Guidance(scale=0.0), Guidance(warm_up=1.0, name="never"))
    assert torch.equal(made["guidance"].latents, made["baseline"].latents)
    assert torch.equal(made["never"].latents, made["baseline"].latents)


def test_guidances_part_where_they_do_different_things(model: StableDiffusion) -> None:
    """Those that cool down at different times share what comes before, and no momentum leaks."""
    samplers = [
        Guidance(),
        Guidance(cool_down=0.5, name="early"),
        Guidance(cool_down=0.8, name="late"),
        Guidance(cool_down=0.1, warm_up=0.4, name="cold"),
        Guidance(cool_down=0.2, warm_up=0.4, name="cool"),
    ]
    together = run(model, *samplers, steps=STEPS)
    for sampler in samplers:
        alone = run(model, sampler, steps=STEPS)[sampler.name]
        assert torch.equal(alone.latents, together[sampler.name].latents)
    assert not torch.equal(together["cold"].latents, together["cool"].latents)


def test_several_attributes_have_concepts_of_their_own() -> None:
    request = replace(REQUEST, indices=(0,), attribute=BOTH, target=dict.fromkeys(BOTH.values, 0.25))
    step = Step(0, 10, 1.0, request, ("male | young",))
    texts = [condition[0] for condition in Guidance().conditions(step)]
    assert texts[2:] == ["male person", "female person", "young person", "old person"]
    alone = [condition[0] for condition in Guidance(push_away=False).conditions(step)]
    assert alone[2:] == ["male person", "young person"]


def test_edits_of_several_attributes_add_up() -> None:
    """Concepts at +1, -2, +3 and -4 of one position: pulled by the first and third, pushed by the others."""
    request = replace(REQUEST, indices=(0,), attribute=BOTH, target=dict.fromkeys(BOTH.values, 0.25))
    step = Step(5, 10, 0.5, request, balanced_assignment(request))
    outputs = tuple(torch.full((1, 1, 1, 1), float(n)) for n in (0, 0, 1, -2, 3, -4))
    edited = Guidance(scale=2.0, threshold=0.0).combine(outputs, step)
    assert float(edited) == pytest.approx(2 * (1 + 2 + 3 + 4))


def test_where_all_warm_concepts_are_cold_nothing_is_edited() -> None:
    """The published code divides zero by zero here."""
    step = Step(5, 10, 0.5, REQUEST, balanced_assignment(REQUEST))
    outputs = tuple(torch.full((4, 1, 2, 2), float(n)) for n in range(4))
    sampler = Guidance(warm_up=(0.1, 0.9), cool_down=(0.3, 1.0))
    assert torch.equal(sampler.combine(outputs, step), Baseline().combine(outputs[:2], step))


def test_every_image_shows_the_race_it_was_drawn_to_on_the_oracle() -> None:
    """With a full push from each of the six others, pictures left every race's pattern behind."""
    model, race = analytic.load(torch.device("cpu"), torch.float64), get_attribute("race")
    request = request_of(race, 14, guidance_scale=4.0)
    made = run(model, Guidance(), request=request, steps=20)["guidance"]
    judge = model.guides(race, request.prompt.text).clean
    assert judge is not None
    shown = tuple(race.values[number] for number in judge(made.latents).argmax(1).tolist())
    assert shown == made.assignment
    assert set(shown) == set(race.values)


def test_parameters_come_from_text() -> None:
    parameters = {"scale": "6,4", "warm_up": 0.2, "push_away": "false", "threshold": [0.9, 0.5]}
    made = make_sampler(SamplerPlan(name="guidance", parameters=parameters))
    assert made == Guidance(scale=(6.0, 4.0), warm_up=0.2, push_away=False, threshold=(0.9, 0.5))


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": (0.5, 2.0)},
        {"cool_down": -0.1},
        {"scale": float("nan")},
        {"weight": -1.0},
        {"beta": 1.5},
    ],
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Guidance(**wrong)
