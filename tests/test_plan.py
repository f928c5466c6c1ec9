"""Plans: round trips, identity, and errors that say what is wrong and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.errors import UsageError
from fairaudit.plan import AuditPlan, differences, make_plan
from fairaudit.planning import build_plan

text = st.text(min_size=1, max_size=30)
plans = st.builds(
    lambda generator, prompts, seed, tau, share: make_plan(
        {
            "generator": generator,
            "prompts": list(dict.fromkeys(prompts)),
            "targets": {"gender": {"female": share, "male": 1 - share}},
            "samplers": [{"name": "baseline"}, {"name": "switching", "parameters": {"tau": tau}}],
            "sampling": {"seed": seed},
        }
    ),
    text,
    st.lists(text.filter(str.strip), max_size=3),
    st.integers(0, 2**31),
    st.floats(0, 1),
    st.floats(0, 1),
)


@given(plans)
def test_yaml_round_trip_keeps_plan_and_digest(plan: AuditPlan) -> None:
    again = AuditPlan.from_yaml(plan.to_yaml())
    assert again == plan
    assert again.digest == plan.digest


@given(plans, plans)
def test_equal_digests_mean_equal_plans(one: AuditPlan, other: AuditPlan) -> None:
    assert (one.digest == other.digest) == (one == other)
    assert bool(differences(one, other)) == (one != other)


def test_differences_name_the_field_and_both_values() -> None:
    one = make_plan({"generator": "x", "sampling": {"steps": 20}})
    other = make_plan({"generator": "x", "sampling": {"steps": 30}})
    assert differences(one, other) == ["sampling.steps: 20 -> 30"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, ["generator"]),
        ({"generator": "x", "attributes": ["gendr"]}, ["gendr", "did you mean", "gender"]),
        ({"generator": "x", "sampling": {"stepps": 3}}, ["sampling.stepps"]),
        ({"generator": "x", "sampling": {"steps": 0}}, ["sampling.steps"]),
        ({"generator": "x", "sampling": {"guidance_scale": float("nan")}}, ["guidance_scale"]),
        ({"generator": "x", "prompts": ["a b", "a b"]}, ["twice"]),
        ({"generator": "x", "samplers": [{"name": "baseline"}] * 2}, ["baseline", "twice"]),
        ({"generator": "x", "measurement": {"level": 0.7}}, ["measurement.level"]),
    ],
)
def test_a_wrong_plan_is_refused_with_its_place(content: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        make_plan(content, "plan.yaml")
    assert all(word in str(refused.value) for word in words)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", ["- a list", "a: [unclosed", "", "!!python/object:os.system {}"])
def test_a_file_that_is_no_plan_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=r"plan\.yaml"):
        AuditPlan.load(path)


def options(**changes: Any) -> AuditPlan:
    given_options: dict[str, Any] = {
        "source": "builtin:faces64",
        "given_allowed": True,
        "samplers": ["baseline", "switching"],
        "fields": {},
    }
    return build_plan(**(given_options | changes))


def test_settings_and_targets_reach_the_plan() -> None:
    plan = options(settings=["switching.tau=0.5"], targets=["gender=female:0.3,male:0.7"])
    assert plan.samplers[1].parameters == {"tau": 0.5}
    assert plan.target("gender") == {"female": 0.3, "male": 0.7}
    assert options().target("race")["Black"] == pytest.approx(1 / 7)


def test_options_win_over_the_plan_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(options(fields={"sampling.steps": 7, "sampling.seed": 3}).to_yaml())
    plan = options(
        source=None, plan_file=path, samplers=[], fields={"sampling.steps": 9, "sampling.seed": None}
    )
    assert (plan.sampling.steps, plan.sampling.seed) == (9, 3)
    assert [sampler.name for sampler in plan.samplers] == ["baseline", "switching"]


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": ["tau=0.5"]},
        {"settings": ["guidance.scale=2"]},
        {"targets": ["gender"]},
        {"targets": ["gender=female:half,male:0.5"]},
        {"source": None},
    ],
)
def test_wrong_options_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        options(**changes)


@pytest.mark.parametrize(
    "target", ["gender=female:0.5,male:0.6", "gender=female:1", "gender=equal", "gender=female:2,male:-1"]
)
def test_a_target_must_be_shares_of_the_declared_values(target: str) -> None:
    with pytest.raises(UsageError):
        options(targets=[target]).target("gender")
