"""Samplers side by side: nothing that one does may show in the images of another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fairaudit.samplers.baseline import Baseline

from fairaudit import registry
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.sampling import Request, Step
from tests.samplers.mixtures import BOTH
from tests.test_diffusion import REQUEST, run

JOINT = replace(REQUEST, attribute=BOTH, target=dict.fromkeys(BOTH.values, 0.25))

# What is asked beside the empty prompt and the prompt, at a step in the middle; whether the empty
# prompt is asked at a guidance scale of 1; how many of six steps go with the baseline's.
SAMPLERS: dict[str, tuple[dict[str, Any], int, bool, int]] = {
    "prompt-intervention": ({}, 0, False, 0),
    "mixing": ({"of": "noise"}, 3, False, 0),
    "debias-vl": ({}, 0, False, 0),
    "decodi": ({}, 1, True, 1),
    "fairqueue": ({}, 0, False, 2),
    "composable": ({}, 2, False, 0),
    "gcdm": ({}, 3, False, 0),
    "guidance": ({}, 4, True, 1),
}


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


def made_of(name: str) -> Any:
    return registry.load("samplers", name)(**SAMPLERS[name][0])


@pytest.mark.parametrize("scale", [0.0, 1.0, 4.0])
def test_each_gives_alone_what_it_gives_beside_all_others(model: StableDiffusion, scale: float) -> None:
    """Also an image by itself, out of its block; and the baseline is not touched."""
    samplers = [Baseline(), *map(made_of, SAMPLERS)]
    request = replace(JOINT, guidance_scale=scale)
    together = run(model, *samplers[1:], samplers[0], request=request)
    for sampler in samplers:
        alone = run(model, sampler, request=replace(request, indices=(2,)))[sampler.name]
        assert torch.equal(alone.latents[0], together[sampler.name].latents[2]), sampler.name
        assert alone.assignment[0] == together[sampler.name].assignment[2]


@pytest.mark.parametrize("name", list(SAMPLERS))
def test_what_is_asked_and_how_long_the_start_is_shared(name: str) -> None:
    _, more, needs_empty, shared = SAMPLERS[name]
    sampler = made_of(name)

    def step(index: int, request: Request = JOINT) -> Step:
        return Step(index, 6, 1 - index / 6, request, sampler.assign(request))

    assert len(sampler.conditions(step(3))) == 2 + more
    plain = replace(JOINT, guidance_scale=1.0)
    asked = sampler.conditions(step(3, plain))
    assert (plain.empty in asked) == needs_empty
    assert len(asked) == 1 + more + needs_empty
    with_baseline = [sampler.signature(step(i)) == Baseline().signature(step(i)) for i in range(6)]
    assert with_baseline == [index < shared for index in range(6)]
    assert all(isinstance(hash(sampler.signature(step(i))), int) for i in range(6))
