"""Switching: sweeps in both directions, points per pair, and cycles over more than two values."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from fairaudit.samplers.switching import Switching
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.asking import Room
from fairaudit.attributes import get_attribute
from fairaudit.diffusion import sample
from fairaudit.embedding import Embedding
from fairaudit.errors import UsageError
from fairaudit.generating import make_sampler
from fairaudit.plan import SamplerPlan
from fairaudit.sampling import Request, Step
from tests.test_diffusion import REQUEST
from tests.transition.worlds import Gaussians

TAUS = tuple(k / 7 for k in range(8))
RACE = replace(
    REQUEST,
    attribute=get_attribute("race"),
    indices=tuple(range(14)),
    target=dict.fromkeys(get_attribute("race").values, 1 / 7),
)


class Counting(Gaussians):
    """Counts the rows it is asked for."""

    rows = 0

    def predict(self, x: torch.Tensor, t: torch.Tensor, condition: Embedding) -> torch.Tensor:
        self.rows += len(x)
        return super().predict(x, t, condition)


def run(
    model: Gaussians, *samplers: Switching, request: Request = REQUEST, steps: int = 28
) -> dict[str, torch.Tensor]:
    room = Room(len(request.indices))
    made = sample(model, samplers, request, scheduler="ddim", steps=steps, room=room)
    return {name: result.latents for name, result in made.items()}


def test_a_sweep_in_both_directions_costs_half_and_changes_no_bit() -> None:
    model = Counting({"female": [1.0, 0.0], "male": [-1.0, 0.5]}, 0.2)
    sweep = [Switching(tau, turn, name=f"{tau}/{turn}") for tau, turn in product(TAUS, (0, 1))]
    together = run(model, *sweep)
    rows, model.rows = model.rows, 0
    alone = {sampler.name: run(model, sampler)[sampler.name] for sampler in sweep}
    assert rows <= 0.6 * model.rows
    assert all(torch.equal(together[name], alone[name]) for name in alone)


def test_the_other_direction_starts_where_the_first_ends() -> None:
    """Tau = 0 in one direction is tau = 1 in the other, and what was begun is what is assigned."""
    model = Gaussians({"female": [1.0, 0.0], "male": [-1.0, 0.5]}, 0.2)
    never, always = Switching(0.0, turn=1, name="never"), Switching(1.0, turn=0, name="always")
    made = run(model, never, always)
    assert torch.equal(made["never"], made["always"])
    assert all(a != b for a, b in zip(never.assign(REQUEST), always.assign(REQUEST), strict=True))


@pytest.mark.parametrize(
    ("tau", "time", "in_force"),
    [(0.5, 0.51, "female"), (0.5, 0.5, "male"), (1.0, 1.0, "male"), (0.0, 0.0, "female")],
)
def test_it_switches_at_tau_itself_and_at_zero_never(tau: float, time: float, in_force: str) -> None:
    request = replace(REQUEST, indices=(0,))
    asked = Switching(tau).conditions(Step(0, 10, time, request, ("female",)))[-1]
    assert asked == request.with_values((in_force,))


@given(points=st.lists(st.floats(0.01, 1), min_size=1, max_size=6, unique=True), time=st.floats(0, 1))
def test_every_value_is_in_force_once_over_the_starting_values(points: list[float], time: float) -> None:
    sampler = Switching(tuple(sorted(points, reverse=True)))
    values = RACE.attribute.values
    step = Step(0, 10, time, replace(RACE, indices=tuple(range(7))), values)
    assert sorted(sampler.conditions(step)[-1]) == sorted(
        RACE.prompt.with_value(RACE.attribute, v) for v in values
    )


def test_a_full_cycle_shows_every_image_every_value() -> None:
    sampler = Switching(tuple(k / 7 for k in range(6, 0, -1)))
    seen = [
        sampler.conditions(Step(0, 7, time, RACE, sampler.assign(RACE)))[-1]
        for time in np.linspace(1, 0.01, 50)
    ]
    assert all(len(set(image)) == 7 for image in zip(*seen, strict=True))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_cycle_at_the_closed_form_points_forgets_where_gaussians_began(count: int) -> None:
    """At sigma^2 / alpha^2 = v (K^2 / j^2 - 1) every start gives the same image from the same noise."""
    names = get_attribute("race").values[:count]
    race = get_attribute("race")
    attribute = replace(race, words={name: race.words[name] for name in names})
    means = {
        attribute.words[name]: np.random.default_rng(7 + k).normal(size=2) for k, name in enumerate(names)
    }
    model, v, steps = Gaussians(means, 0.3), 0.3, 125
    wanted = [v * (count**2 / j**2 - 1) for j in range(1, count)]
    signals = DDIMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod.double()
    ratios = ((1 - signals) / signals).numpy()
    taus = tuple(float(np.searchsorted(ratios, ratio)) / 1000 for ratio in wanted)
    request = replace(
        REQUEST, attribute=attribute, guidance_scale=1.0, target=dict.fromkeys(names, 1 / count)
    )
    ends = run(
        model, *(Switching(taus, turn, name=str(turn)) for turn in range(count)), request=request, steps=steps
    )
    spread = torch.stack(list(ends.values())).std(0).max()
    assert spread < 0.03 * torch.stack(list(model.means.values())).std(0).max()


def test_points_per_pair_of_values() -> None:
    sampler = Switching({"female>male": 0.7, "male>female": 0.3})
    request = replace(REQUEST, indices=(0, 1))
    step = Step(0, 10, 0.5, request, ("female", "male"))
    assert sampler.conditions(step)[-1] == ("a photo of a male nurse", "a photo of a male nurse")
    with pytest.raises(UsageError, match="male>female"):
        Switching({"female>male": 0.7}).assign(request)
    with pytest.raises(UsageError, match="a point for each"):
        Switching({"female>male": 0.7, "male>female": 0.3, "male>male": 0.1}).assign(request)


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ([0.3, 0.7], "fall from noise to image"),
        ([0.5, 0.5], "fall from noise to image"),
        ([], r"in \[0, 1\]"),
        ({"a>b": 2}, r"in \[0, 1\]"),
        (float("nan"), r"in \[0, 1\]"),
        ("soon", "valid number"),
    ],
)
def test_points_that_are_none_are_refused_in_a_sentence(given_: object, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make_sampler(SamplerPlan(name="switching", parameters={"tau": given_}))


def test_a_plan_can_say_a_cycle() -> None:
    sampler = make_sampler(SamplerPlan(name="switching", parameters={"tau": [0.7, 0.3], "turn": 1}))
    assert sampler == Switching((0.7, 0.3), 1)
