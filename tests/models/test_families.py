"""The baseline on every family is what the family's own pipeline makes of the same noise."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from torch import Tensor

from fairaudit.asking import Room
from fairaudit.attributes import get_attribute
from fairaudit.diffusion import initial_noise, sample
from fairaudit.digests import seed_of
from fairaudit.embedding import stack
from fairaudit.errors import ModelError, UsageError
from fairaudit.models.diffusers import FAMILIES, SCHEDULERS, defaults, load, quiet
from fairaudit.models.execution import Execution
from fairaudit.models.families.base import Family
from fairaudit.models.schedulers import is_stochastic
from fairaudit.needs import Need
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request
from tests.tiny import (
    save_tiny_ddpm,
    save_tiny_dit,
    save_tiny_flux,
    save_tiny_pipeline,
    save_tiny_sd3,
    save_tiny_xl,
)

CPU = torch.device("cpu")
REQUEST = Request(
    prompt=Prompt("a photo of a {attribute} nurse"),
    indices=(0, 1, 2),
    attribute=get_attribute("gender"),
    target={"female": 0.5, "male": 0.5},
    guidance_scale=4.0,
    seed=7,
)


@dataclass(frozen=True)
class Layout:
    """A checkpoint, and how its pipeline is called."""

    save: Callable[..., Path]
    size: Mapping[str, int] = field(default_factory=dict)
    without: Mapping[str, None] = field(default_factory=dict)


T5 = ("text_encoder_3", "tokenizer_3")
SMALL = {"height": 16, "width": 16}
TEXT = {
    "sd": Layout(save_tiny_pipeline),
    "sd-v": Layout(partial(save_tiny_pipeline, prediction="v_prediction")),
    "sdxl": Layout(save_tiny_xl),
    "sdxl-empty": Layout(partial(save_tiny_xl, zeros=False)),
    "sdxl-wide": Layout(save_tiny_xl, size={"height": 16, "width": 24}),
    "sd3": Layout(save_tiny_sd3),
    "sd3-no-t5": Layout(
        partial(save_tiny_sd3, with_t5=False), without={"text_encoder_3": None, "tokenizer_3": None}
    ),
    "sd3-dynamic": Layout(partial(save_tiny_sd3, dynamic=True), size={"height": 16, "width": 24}),
    "flux": Layout(save_tiny_flux, size={"height": 16, "width": 24}),
    "flux-schnell": Layout(partial(save_tiny_flux, guided=False), size=SMALL),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    saved: dict[str, Path] = {}

    def get(name: str) -> Path:
        if name not in saved:
            saved[name] = TEXT[name].save(tmp_path_factory.mktemp(name))
        return saved[name]

    return get


def streams(request: Request = REQUEST) -> list[torch.Generator]:
    return [
        torch.Generator().manual_seed(seed_of("noise", request.seed, request.prompt.text, index))
        for index in request.indices
    ]


def pipeline_of(folder: Path, **parts: None) -> Any:
    with quiet():
        pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, **parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def baseline(
    model: Family, scheduler: str = "model", steps: int = 4, request: Request = REQUEST, rows: int = 6
) -> Tensor:
    asked = replace(request, guidance_scale=1.0) if model.distilled else request
    made = sample(model, [Baseline()], asked, scheduler=scheduler, steps=steps, room=Room(rows))
    return made["baseline"].latents


@pytest.mark.parametrize("name", TEXT)
def test_baseline_is_the_pipelines_own_call(name: str, folder: Callable[[str], Path]) -> None:
    layout = TEXT[name]
    model = load(str(folder(name)), CPU, Execution(guidance_scale=4.0, **layout.size))
    theirs = pipeline_of(folder(name), **layout.without)(
        list(REQUEST.neutral), generator=streams(), num_inference_steps=4, guidance_scale=4.0,
        output_type="np", **layout.size,
    ).images  # fmt: skip
    ours = model.decode(baseline(model))
    np.testing.assert_allclose(ours, np.round(theirs * 255), atol=1)
    other = replace(REQUEST, prompt=Prompt("WWW {attribute}"))
    assert not torch.allclose(baseline(model), baseline(model, request=other), atol=1e-3)


@pytest.mark.parametrize("name", ["sd", "sd-v", "sdxl"])
@pytest.mark.parametrize("kind", SCHEDULERS)
def test_every_scheduler_steps_as_in_the_pipeline(
    name: str, kind: str, folder: Callable[[str], Path]
) -> None:
    pipeline = pipeline_of(folder(name))
    with quiet():
        chosen = getattr(diffusers, SCHEDULERS[kind])
        pipeline.scheduler = chosen.from_config(pipeline.scheduler.config)
        model = load(str(folder(name)), CPU)
        ours = baseline(model, kind, steps=6)
        theirs = pipeline(
            list(REQUEST.neutral), generator=streams(), num_inference_steps=6, guidance_scale=4.0,
            output_type="latent",
        ).images  # fmt: skip
    torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("name", ["sd3", "flux"])
def test_flow_models_keep_their_scheduler(name: str, folder: Callable[[str], Path]) -> None:
    model = load(str(folder(name)), CPU, Execution(**SMALL))
    for kind in SCHEDULERS:
        with pytest.raises(UsageError, match="does not fit a flow-matching model"):
            model.scheduler(kind, 4)


def test_unknown_schedulers_are_named(tiny_pipeline: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'euler'"):
        load(str(tiny_pipeline), CPU).scheduler("eulr", 4)


def test_stochastic_schedulers_are_those_whose_pictures_depend_on_later_noise(tiny_pipeline: Path) -> None:
    """A second stream that agrees only in the first draw ends elsewhere exactly where noise is drawn."""
    model = load(str(tiny_pipeline), CPU)
    noise, _ = initial_noise(REQUEST, model.latent_shape)
    pipeline = pipeline_of(tiny_pipeline)
    for kind in SCHEDULERS:
        with quiet():
            pipeline.scheduler = getattr(diffusers, SCHEDULERS[kind]).from_config(pipeline.scheduler.config)
            made = [
                pipeline(
                    list(REQUEST.neutral), latents=noise, num_inference_steps=4, output_type="latent",
                    generator=[torch.Generator().manual_seed(seed + row) for row in range(3)],
                ).images
                for seed in (0, 100)
            ]  # fmt: skip
            assert is_stochastic(model.scheduler(kind, 4)) == (not torch.equal(*made)), kind


def test_flux_is_told_its_guidance(folder: Callable[[str], Path]) -> None:
    dev, schnell = (
        [
            baseline(load(str(folder(name)), CPU, Execution(guidance_scale=scale, **SMALL)))
            for scale in (1.0, 8.0)
        ]
        for name in ("flux", "flux-schnell")
    )
    assert not torch.allclose(*dev, atol=1e-3)
    assert torch.equal(*schnell)


def test_dit_is_its_pipelines_own_call(tmp_path: Path) -> None:
    save_tiny_dit(tmp_path)
    model = load(str(tmp_path), CPU)
    request = replace(REQUEST, prompt=Prompt("{attribute} 207"))
    theirs = pipeline_of(tmp_path)(
        [207] * 3, generator=streams(replace(request, prompt=Prompt("207"))), num_inference_steps=4,
        guidance_scale=4.0, output_type="np",
    ).images  # fmt: skip
    ours = model.decode(baseline(model, request=replace(request, prompt=Prompt("207"))))
    np.testing.assert_allclose(ours, np.round(theirs * 255), atol=1)
    other = baseline(model, request=replace(request, prompt=Prompt("208")))
    assert not np.array_equal(model.decode(other), ours)


@pytest.mark.parametrize("deterministic", [False, True])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_unconditional_models_are_their_pipelines_own_call(
    tmp_path: Path, deterministic: bool, prediction: str
) -> None:
    save_tiny_ddpm(tmp_path, deterministic=deterministic, prediction=prediction)
    model = load(str(tmp_path), CPU)
    assert model.offers == {Need.SPATIAL, Need.HIDDEN}
    theirs = pipeline_of(tmp_path)(
        batch_size=3, generator=streams(), num_inference_steps=5, output_type="np"
    ).images
    ours = model.decode(baseline(model, steps=5, request=replace(REQUEST, guidance_scale=1.0), rows=3))
    np.testing.assert_allclose(ours, np.round(theirs * 255), atol=1)


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux"])
def test_a_row_does_not_depend_on_its_neighbours(name: str, folder: Callable[[str], Path]) -> None:
    model = load(str(folder(name)), CPU, Execution(**SMALL))
    t = model.scheduler("model", 4).timesteps[1]
    x, _ = initial_noise(REQUEST, model.latent_shape)
    one, two, three = (model.encode(text) for text in ("a nurse", "ten doctors", ""))
    first = model.predict(x, t, stack([one, two, three]))
    second = model.predict(x[[0, 2, 1]], t, stack([one, one, two]))
    assert torch.equal(first[0], second[0])
    assert not torch.allclose(first[1], second[1], atol=1e-4)


@pytest.mark.parametrize("name", ["sd", "sdxl", "sd3", "flux"])
def test_pictures_are_differentiable_and_what_is_decoded(name: str, folder: Callable[[str], Path]) -> None:
    model = load(str(folder(name)), CPU, Execution(**SMALL))
    latents, _ = initial_noise(REQUEST, model.latent_shape)
    latents.requires_grad_()
    pictures = model.picture(latents)
    pictures[0].sum().backward()
    assert latents.grad is not None
    assert latents.grad[0].abs().sum() > 0
    assert latents.grad[1:].abs().sum() == 0
    shown = ((pictures.detach() / 2 + 0.5).clamp(0, 1) * 255).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(model.decode(latents.detach()), shown, atol=1)


@pytest.mark.parametrize("kind", FAMILIES)
def test_defaults_are_those_of_the_pipelines(kind: str, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(f'{{"_class_name": "{kind}"}}')
    parameters = inspect.signature(getattr(diffusers, kind).__call__).parameters
    steps, guidance_scale = defaults(str(tmp_path))
    assert steps == parameters["num_inference_steps"].default
    expected = parameters["guidance_scale"].default if "guidance_scale" in parameters else 1
    assert guidance_scale == expected


def test_schnell_is_for_four_steps_without_guidance(folder: Callable[[str], Path]) -> None:
    assert defaults(str(folder("flux-schnell"))) == (4, 0.0)
    assert defaults(str(folder("flux"))) == (28, 3.5)


@pytest.mark.parametrize(
    ("size", "name"), [({"height": 15}, "sd"), ({"width": 18}, "sd3"), ({"width": 18}, "flux")]
)
def test_sizes_that_are_no_multiples_are_refused(
    size: dict[str, int], name: str, folder: Callable[[str], Path]
) -> None:
    with pytest.raises(UsageError, match="must be a multiple of"):
        load(str(folder(name)), CPU, Execution(**size))


@pytest.mark.parametrize("save", [save_tiny_dit, save_tiny_ddpm])
def test_models_of_one_size_take_no_other(tmp_path: Path, save: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="only"):
        load(str(save(tmp_path)), CPU, Execution(height=32))


def test_a_pipeline_that_cannot_be_sampled_is_named(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "AudioLDMPipeline"}')
    with pytest.raises(ModelError, match="holds a AudioLDMPipeline; what can be sampled is"):
        load(str(tmp_path), CPU)


@pytest.mark.parametrize("text", ["{", "[]", "null"])
def test_a_broken_index_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "model_index.json").write_text(text)
    with pytest.raises(ModelError, match="model_index"):
        load(str(tmp_path), CPU)
