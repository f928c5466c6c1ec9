"""Samplers against what their papers say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.guidance import Guidance
from fairaudit.samplers.switching import Switching
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fairaudit.attributes import get_attribute
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request, Step, balanced_assignment
from tests.test_diffusion import REQUEST, run


def step_of(index: int, count: int, time: float, request: Request = REQUEST) -> Step:
    return Step(index, count, time, request, balanced_assignment(request))


@given(share=st.floats(0, 1), seed=st.integers(0, 1000), count=st.integers(1, 60), skip=st.integers(0, 30))
@settings(max_examples=60, deadline=None)
def test_assignment_follows_the_target_at_every_index(share: float, seed: int, count: int, skip: int) -> None:
    request = replace(
        REQUEST, indices=tuple(range(count)), target={"female": share, "male": 1 - share}, seed=seed
    )
    assigned = balanced_assignment(request)
    for end in range(1, count + 1):
        assert abs(assigned[:end].count("female") - share * end) <= 1 + 1e-6
    part = replace(request, indices=tuple(range(min(skip, count - 1), count)))
    assert balanced_assignment(part) == assigned[min(skip, count - 1) :]


def test_assignment_of_many_values_is_balanced() -> None:
    race = get_attribute("race")
    request = replace(
        REQUEST, indices=tuple(range(70)), attribute=race, target=dict.fromkeys(race.values, 1 / 7)
    )
    assigned = balanced_assignment(request)
    assert {assigned.count(value) for value in race.values} == {10}


def test_assignment_order_is_not_the_same_for_every_prompt() -> None:
    orders = {
        balanced_assignment(replace(REQUEST, prompt=Prompt(f"a {{attribute}} {name}"))) for name in "abcdefgh"
    }
    assert len(orders) > 1


def test_of_two_values_either_may_come_first_in_a_pair() -> None:
    """Balanced in every pair, but not one after the other throughout: nobody can tell the next value."""
    assigned = balanced_assignment(replace(REQUEST, indices=tuple(range(40))))
    pairs = set(zip(assigned[::2], assigned[1::2], strict=True))
    assert pairs == {("female", "male"), ("male", "female")}


def test_a_value_without_a_share_is_never_assigned() -> None:
    for seed in range(20):
        only = replace(REQUEST, indices=(0, 1, 2), target={"female": 0.0, "male": 1.0}, seed=seed)
        assert balanced_assignment(only) == ("male",) * 3


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


@pytest.mark.parametrize("scheduler", ["ddim", "dpmsolver++"])
@pytest.mark.parametrize(("tau", "turn"), [(0.0, 0), (1.0, 1)])
def test_switching_at_the_ends_is_one_of_the_two_conditions(
    model: StableDiffusion, scheduler: str, tau: float, turn: int
) -> None:
    """tau = 0 never leaves the start value; tau = 1 samples under the other one throughout."""
    switched = run(model, Switching(tau=tau), scheduler=scheduler)["switching"]
    values = REQUEST.attribute.values
    for row, start in enumerate(switched.assignment):
        assert start is not None
        value = values[(values.index(start) + turn) % 2]
        # The pure condition: the prompt with that value, the noise of the neutral prompt.
        pure = run(
            model,
            _Pure(f"a photo of a {value} nurse"),
            request=replace(REQUEST, indices=(row,)),
            scheduler=scheduler,
        )["pure"]
        assert torch.equal(switched.latents[row], pure.latents[0])


class _Pure(Baseline):
    """Classifier-free guidance towards a fixed text."""

    def __init__(self, text: str) -> None:
        super().__init__(name="pure")
        object.__setattr__(self, "text", text)

    def conditions(self, step: Step) -> tuple[tuple[str, ...], ...]:
        return step.request.empty, (self.text,) * len(step.request.indices)  # type: ignore[attr-defined]


def test_switching_changes_the_value_once_at_tau() -> None:
    sampler = Switching(tau=0.6)
    words = [sampler.conditions(step_of(0, 10, time))[1][0] for time in (1.0, 0.61, 0.6, 0.2, 0.0)]
    assert len(set(words)) == 2
    assert words[:2] == [words[0]] * 2
    assert words[2:] == [words[2]] * 3


def test_guidance_warm_up_is_the_baseline() -> None:
    outputs = tuple(torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(n)) for n in range(4))
    step = step_of(0, 50, 1.0)
    guided = Guidance().combine(outputs, step)
    assert torch.equal(guided, Baseline().combine(outputs[:2], step))
    assert Guidance().signature(step) == Baseline().signature(step)
    assert Guidance().signature(step_of(5, 50, 0.9)) != Baseline().signature(step_of(5, 50, 0.9))


def test_guidance_edit_by_hand() -> None:
    """One image, one channel, four positions: SEGA's update written out with numbers."""

    def outputs(*rows: list[float]) -> tuple[Tensor, ...]:
        return tuple(torch.tensor(row).reshape(1, 1, 2, 2) for row in rows)

    request = replace(REQUEST, indices=(0,), guidance_scale=2.0)
    sampler = Guidance(scale=10.0, threshold=0.7, warm_up=0.0, momentum=0.5, beta=0.5)
    empty, prompt = [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]
    towards, away = [0.1, 0.2, 0.3, 0.4], [0.4, 0.0, 0.0, 0.0]
    step = step_of(0, 10, 1.0, request)
    first = sampler.combine(outputs(empty, prompt, towards, away), step)
    # The 0.7 quantile of (1, 2, 3, 4) is 3.1, so only the 4 stays; of (4, 0, 0, 0) it is 0.4, so the 4.
    torch.testing.assert_close(first.flatten(), torch.tensor([2 - 4.0, 2.0, 2.0, 2 + 4.0]))
    # The momentum is now half of (-4, 0, 0, 4), and half of that is added.
    second = sampler.combine(outputs(empty, prompt, towards, away), step)
    torch.testing.assert_close(second.flatten(), torch.tensor([2 - 5.0, 2.0, 2.0, 2 + 5.0]))


def test_guidance_pushes_images_of_either_assignment_opposite_ways() -> None:
    texts = Guidance().conditions(step_of(0, 10, 1.0))
    towards, away = texts[2], texts[3]
    assignment = balanced_assignment(REQUEST)
    assert towards == tuple(f"{value} person" for value in assignment)
    assert all({t, a} == {"female person", "male person"} for t, a in zip(towards, away, strict=True))


@pytest.mark.parametrize(("sampler", "wrong"), [(Switching, {"tau": 1.5}), (Guidance, {"threshold": 2})])
def test_parameters_out_of_range_are_refused(sampler: type, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="in \\[0, 1\\]"):
        sampler(**wrong)
