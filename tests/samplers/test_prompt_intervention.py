"""Words in the prompt: the same as asking for the value, and the ethical intervention in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fairaudit.samplers.prompt_intervention import PromptIntervention
from fairaudit.samplers.switching import Switching

from fairaudit.models.diffusers import StableDiffusion
from fairaudit.needs import Need
from fairaudit.prompts import Prompt
from fairaudit.sampling import Step, no_assignment
from tests.samplers.mixtures import BOTH, GENDER, mixture_model, request_of
from tests.test_diffusion import REQUEST, run


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


def test_it_is_switching_that_never_switches(model: StableDiffusion) -> None:
    made = run(model, PromptIntervention(), Switching(tau=0.0))
    assert torch.equal(made["prompt-intervention"].latents, made["switching"].latents)
    assert made["prompt-intervention"].assignment == made["switching"].assignment


def test_every_image_has_its_value_where_the_model_does_what_it_is_told() -> None:
    """Modes ten deviations apart, nine women in ten: the picture is on the assigned side of 0."""
    model = mixture_model((GENDER,), [[5.0], [-5.0]], [0.9, 0.1], deviation=0.5)
    made = run(model, PromptIntervention(), request=request_of(GENDER, 40), steps=20)["prompt-intervention"]
    assert [value == "female" for value in made.assignment] == (made.latents[:, 0] > 0).tolist()
    assert made.assignment.count("female") == 20


@pytest.mark.parametrize(
    ("template", "attribute", "text"),
    [
        (
            "a photo of a {attribute} nurse",
            GENDER,
            "a photo of a nurse if all individuals can be a nurse irrespective of their gender",
        ),
        (
            "a photo of a {attribute} engineer",
            BOTH,
            "a photo of an engineer if all individuals can be an engineer irrespective of their "
            "gender and age",
        ),
        (
            "a doctor at work",
            GENDER,
            "a doctor at work if all individuals can be so irrespective of their gender",
        ),
    ],
)
def test_the_ethical_intervention_in_words(template: str, attribute: object, text: str) -> None:
    request = replace(REQUEST, prompt=Prompt(template), attribute=attribute)
    sampler = PromptIntervention(style="ethical")
    assert sampler.assign(request) == no_assignment(request)
    step = Step(0, 10, 1.0, request, no_assignment(request))
    assert sampler.conditions(step) == (request.empty, (text,) * 4)


def test_a_style_has_needs_of_its_own() -> None:
    assert PromptIntervention().needs == {Need.VALUES}
    assert PromptIntervention(style="ethical").needs == {Need.TEXT}
    with pytest.raises(ValueError, match="word or ethical"):
        PromptIntervention(style="polite")  # type: ignore[arg-type]
