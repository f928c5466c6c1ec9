"""Bi-noising: nothing outside its window, and the model's own law inside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.bi_noising import BiNoising

from fairaudit import registry
from fairaudit.asking import Room
from fairaudit.diffusion import sample
from fairaudit.errors import UsageError
from fairaudit.generating import make_sampler
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.needs import Need
from fairaudit.plan import SamplerPlan
from fairaudit.sampling import EditsImages
from tests.samplers.mixtures import GENDER, mixture_model, request_of
from tests.samplers.test_classifier_guidance import random_guides
from tests.test_diffusion import REQUEST, run


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


@pytest.mark.parametrize("inner", ["switching", "classifier-guidance", "distribution-guidance"])
def test_window_0_is_the_inner_sampler(model: StableDiffusion, inner: str) -> None:
    """Bit for bit, also where the inner one steers or edits the middle block."""
    request = replace(REQUEST, guides=random_guides())
    factory: Any = registry.load("samplers", inner)
    plain = run(model, factory(), request=request, steps=2)[inner]
    wrapped = run(model, BiNoising(inner=inner, window=0), request=request, steps=2)["bi-noising"]
    assert torch.equal(plain.latents, wrapped.latents)
    assert plain.assignment == wrapped.assignment
    assert plain.evaluations == wrapped.evaluations


def test_the_window_costs_an_evaluation_a_step_and_changes_the_images(model: StableDiffusion) -> None:
    made = run(model, Baseline(), BiNoising(inner="baseline", window=0.5), steps=2)
    assert made["baseline"].evaluations == 4
    assert made["bi-noising"].evaluations == 5
    assert not torch.allclose(made["bi-noising"].latents, made["baseline"].latents, atol=1e-3)
    # The baseline beside it is what it is alone.
    assert torch.equal(made["baseline"].latents, run(model, Baseline(), steps=2)["baseline"].latents)


@pytest.mark.parametrize("scheduler", ["ddim", "euler-ancestral"])
def test_the_exact_law_of_all_pictures_is_invariant(scheduler: str) -> None:
    """Around the baseline under the empty text every correction leaves the mixture as it is."""
    model = mixture_model((GENDER,), [[-1.2, 0.4], [0.9, -0.3]], [0.8, 0.2], deviation=0.6)
    made = sample(
        model,
        [BiNoising(inner="baseline", window=1.0)],
        request_of(GENDER, 500),
        scheduler=scheduler,
        steps=40,
        room=Room(500),
    )["bi-noising"].latents
    exact = model.guides(GENDER, "a photo of a nurse").clean
    assert exact is not None
    assert float(exact(made).exp()[:, 0].mean()) == pytest.approx(0.8, abs=0.05)
    torch.testing.assert_close(made.mean(0), model.mixture.mean(), atol=0.13, rtol=0)
    torch.testing.assert_close(made.T.cov(), model.mixture.covariance(), atol=0.2, rtol=0)


def test_it_needs_what_the_inner_one_needs() -> None:
    assert BiNoising(inner="classifier-guidance").needs == {Need.CLEAN, Need.EMPTY, Need.RESTARTS}
    inpainting = BiNoising(inner="bo-ddnm")
    assert isinstance(inpainting, EditsImages)
    assert inpainting.edits == "baseline"
    assert not isinstance(BiNoising(), EditsImages)


def test_a_plan_makes_it_from_texts() -> None:
    made = make_sampler(SamplerPlan(name="bi-noising", parameters={"inner": "guidance", "window": "0.5"}))
    assert made == BiNoising(inner="guidance", window=0.5)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"inner": "bi-noising"}, "another sampler than bi-noising itself"),
        ({"inner": "swiching"}, "did you mean 'switching'"),
        ({"window": 1.5}, "fraction of the steps"),
        ({"window": float("nan")}, "fraction of the steps"),
    ],
)
def test_what_cannot_be_wrapped_is_refused_in_a_sentence(parameters: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make_sampler(SamplerPlan(name="bi-noising", parameters=parameters))
