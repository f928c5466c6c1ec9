"""The loop: an image is the same whatever is computed beside it, and however much memory there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import EDMEulerScheduler
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.guidance import Guidance
from fairaudit.samplers.switching import Switching

from fairaudit.asking import Room
from fairaudit.attributes import get_attribute
from fairaudit.denoiser import Edit
from fairaudit.diffusion import Sampled, initial_noise, sample
from fairaudit.embedding import Embedding
from fairaudit.errors import ModelError, UsageError
from fairaudit.levels import level_of
from fairaudit.models.diffusers import SCHEDULERS, StableDiffusion
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


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_shared_prefix_gives_what_separate_runs_give(model: StableDiffusion, scheduler: str) -> None:
    """Neither multistep history nor a random stream leaks between samplers that part half-way."""
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


class _Small:
    """A model whose memory holds no more than a number of rows."""

    def __init__(self, model: StableDiffusion, rows: int) -> None:
        self.model, self.rows = model, rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def predict(
        self, x: torch.Tensor, t: torch.Tensor, condition: Embedding, edit: Edit | None = None
    ) -> torch.Tensor:
        if len(x) > self.rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.model.predict(x, t, condition, edit)


@pytest.mark.parametrize(("asked", "rows"), [(32, 5), (8, 7), (3, 1)])
def test_too_little_memory_is_a_smaller_batch_from_there_on(
    model: StableDiffusion, asked: int, rows: int
) -> None:
    noted: list[int] = []
    room = Room(asked, noted.append)
    samplers = (Baseline(), Switching())
    small = sample(_Small(model, rows), samplers, REQUEST, scheduler="dpmsolver++", steps=4, room=room)
    assert noted == sorted(set(noted), reverse=True)
    assert noted[-1] == room.rows <= rows
    # A tenth at a time: no more is given up than that.
    assert noted[-2:-1] == [] or noted[-2] > rows
    told = sample(model, samplers, REQUEST, scheduler="dpmsolver++", steps=4, room=Room(room.rows))
    for name, result in small.items():
        assert torch.equal(result.latents, told[name].latents)
        assert result.evaluations == told[name].evaluations


def test_memory_for_no_row_is_one_sentence(model: StableDiffusion) -> None:
    with pytest.raises(ModelError, match="does not hold one row") as caught:
        sample(_Small(model, 0), [Baseline()], REQUEST, scheduler="ddim", steps=2, room=Room(4))
    assert "\n" not in str(caught.value)


def test_images_that_are_not_finite_are_never_given(
    model: StableDiffusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be stored, labelled and counted as black ones."""
    predict = model.predict
    monkeypatch.setattr(model, "predict", lambda x, t, condition, edit=None: predict(x, t, condition) / 0)
    with pytest.raises(ModelError, match="not finite"):
        run(model, Baseline())


def test_schedulers_of_unknown_parametrisation_are_refused() -> None:
    """EDM schedulers know no alphas_cumprod either, and are no flow."""
    scheduler = EDMEulerScheduler()
    scheduler.set_timesteps(5)
    with pytest.raises(UsageError, match="EDMEulerScheduler"):
        level_of(scheduler, scheduler.timesteps[0])
