"""Sweeps: one sampler with several values, from the same noise, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.switching import Switching
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.asking import Room
from fairaudit.diffusion import sample
from fairaudit.errors import UsageError
from fairaudit.plan import LABEL, AuditPlan
from fairaudit.planning import build_plan
from fairaudit.sweeping import MOST, apply_sweeps
from tests.test_diffusion import REQUEST, model  # noqa: F401  (a fixture)


def plan_of(samplers: str, *sweeps: str, settings: tuple[str, ...] = ()) -> AuditPlan:
    return build_plan(
        "builtin:faces64", samplers=samplers.split(","), settings=settings, fields={}, sweeps=sweeps
    )


def test_each_value_is_a_sampler_in_its_place() -> None:
    plan = plan_of(
        "baseline,guidance,switching", "guidance.scale=1,2.5,4", settings=("guidance.threshold=0.9",)
    )
    assert [s.key for s in plan.samplers] == [
        "baseline",
        "guidance-scale-1",
        "guidance-scale-2.5",
        "guidance-scale-4",
        "switching",
    ]
    assert [s.parameters for s in plan.samplers[1:4]] == [
        {"threshold": 0.9, "scale": value} for value in (1, 2.5, 4)
    ]
    assert plan.reference_sampler == "baseline"
    # The plan holds explicit samplers, so the file alone repeats the sweep.
    assert AuditPlan.from_yaml(plan.to_yaml()) == plan


def test_several_sweeps_of_one_sampler_make_the_grid() -> None:
    plan = plan_of("baseline,a=switching,b=switching", "a.tau=0.2,0.4,0.6", "a.turn=0,1")
    points = [(s.parameters["tau"], s.parameters["turn"]) for s in plan.samplers[1:-1]]
    assert points == [(tau, turn) for tau in (0.2, 0.4, 0.6) for turn in (0, 1)]
    assert plan.samplers[-1].key == "b"


def test_the_baseline_stays_beside_its_own_sweep() -> None:
    plan = plan_of("baseline,switching", "baseline.guidance_scale=1,8")
    assert [(s.key, plan.guidance_of(s)) for s in plan.samplers] == [
        ("baseline", 1.75),
        ("baseline-guidance_scale-1", 1.0),
        ("baseline-guidance_scale-8", 8.0),
        ("switching", 1.75),
    ]
    assert plan.reference_sampler == "baseline"


@pytest.mark.parametrize(
    ("sweep", "problem"),
    [
        ("guidance.scale", "expected SAMPLER.PARAMETER=VALUE"),
        ("scale=1,2", "expected SAMPLER.PARAMETER=VALUE"),
        ("guidance.scale=", "a value is missing"),
        ("guidance.scale=1,,2", "a value is missing"),
        ("guidance.scale=1,2,1", "names the value 1 twice"),
        ("nobody.scale=1,2", "nobody is not among the samplers"),
        ("switching.steps=10,20", "the same for all samplers of a run"),
        ("guidance.scale=" + ",".join(map(str, range(MOST + 1))), f"{MOST} are the most"),
        ("switching.guidance_scale=-1,2", "greater than or equal to 0"),
        ("switching.guidance_scale=much,2", "valid number"),
    ],
)
def test_a_bad_sweep_is_one_sentence(sweep: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        plan_of("baseline,guidance,switching", sweep)


def test_one_parameter_swept_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="swept twice"):
        plan_of("baseline,guidance", "guidance.scale=1,2", "guidance.scale=3")


def test_an_unknown_parameter_ends_with_code_2_and_one_line(
    fairaudit: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert fairaudit("compare", "builtin:faces64", "--sweep", "guidance.nothing=1,2", "--out", out) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()


@given(st.lists(st.one_of(st.text(), st.floats(), st.integers(), st.lists(st.floats())), min_size=1))
def test_whatever_the_values_are_labels_are_labels_and_differ(values: list[object]) -> None:
    from fairaudit import sweeping

    grid = {"x" * 70: values[:MOST]}
    made = sweeping._swept({"name": "switching"}, grid, ["switching"])
    labels = [one["label"] for one in made]
    assert len({*labels, "switching"}) == len(made) + 1
    assert all(re.fullmatch(LABEL, label) for label in labels)


def test_the_samplers_given_stay_as_they_were() -> None:
    entry = {"name": "guidance", "parameters": {"scale": 3}}
    apply_sweeps([entry], ["guidance.scale=1,2"])
    assert entry == {"name": "guidance", "parameters": {"scale": 3}}


def test_a_guidance_scale_of_its_own_gives_what_a_run_of_that_scale_gives(model) -> None:  # noqa: F811
    samplers = [Baseline(), Baseline(name="weak"), Switching(), Switching(name="strong")]
    scales = {"weak": 1.0, "strong": 7.0}
    together = sample(model, samplers, REQUEST, scheduler="ddim", steps=6, room=Room(8), scales=scales)
    for sampler in samplers:
        asked = replace(REQUEST, guidance_scale=scales.get(sampler.name, REQUEST.guidance_scale))
        alone = sample(model, [sampler], asked, scheduler="ddim", steps=6, room=Room(8))[sampler.name]
        assert torch.equal(together[sampler.name].latents, alone.latents)
        assert together[sampler.name].evaluations == alone.evaluations
    assert not torch.equal(together["baseline"].latents, together["weak"].latents)
