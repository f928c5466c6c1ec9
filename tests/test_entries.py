"""Samplers as they are written on the command line: labels, other models, parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.entries import apply_settings, parse_against, parse_sampler, parse_value, short_name
from fairaudit.errors import UsageError
from fairaudit.plan import AuditPlan, make_plan
from fairaudit.planning import build_plan


def plan_of(*samplers: str, settings: tuple[str, ...] = (), against: tuple[str, ...] = ()) -> AuditPlan:
    return build_plan("builtin:faces64", samplers=samplers, settings=settings, fields={}, against=against)


def test_one_sampler_twice_with_parameters_of_its_own() -> None:
    plan = plan_of(
        "baseline", "low=switching", "v1.5=switching", settings=("low.tau=0.3", "v1.5.tau=0.7", "low.turn=1")
    )
    assert [sampler.key for sampler in plan.samplers] == ["baseline", "low", "v1.5"]
    assert [sampler.name for sampler in plan.samplers] == ["baseline", "switching", "switching"]
    assert plan.samplers[1].parameters == {"tau": 0.3, "turn": 1}
    assert plan.samplers[2].parameters == {"tau": 0.7}
    assert plan.reference_sampler == "baseline"


@pytest.mark.parametrize("samplers", [("switching", "switching"), ("a=baseline", "a=switching")])
def test_two_samplers_of_one_name_are_refused(samplers: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="twice"):
        plan_of(*samplers)


@pytest.mark.parametrize("label", ["..", "a/b", "", ".hidden", "a b", "-x", "é", "images", "a\n"])
def test_labels_that_could_leave_the_run_directory_are_refused(label: str) -> None:
    with pytest.raises(UsageError, match="is no label"):
        make_plan({"generator": "x", "samplers": [{"name": "baseline", "label": label}]})


@given(st.text())
def test_a_label_from_the_command_line_is_a_label_or_part_of_an_unknown_name(text: str) -> None:
    entry = parse_sampler(f"{text}=switching")
    assert entry["name"] == ("switching" if "label" in entry else f"{text}=switching")


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("builtin:faces64", "faces64"),
        ("analytic:gmm", "gmm"),
        ("org/fair-model", "fair-model"),
        ("/models/my model/", "my-model"),
        ("base+weights/uce.safetensors", "base-uce"),
        ("org/model+lora", "model-lora"),
        ("/", "model"),
    ],
)
def test_models_are_called_by_their_folder_or_repository(model: str, name: str) -> None:
    assert short_name(model) == name


def test_the_working_directory_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tuned").mkdir()
    monkeypatch.chdir(tmp_path / "tuned")
    assert short_name(".") == "tuned"


def test_models_of_one_name_are_kept_apart() -> None:
    entries, pictures = parse_against(["a/model", "b/model", "switching=c/model"], [{"name": "model"}])
    assert not pictures
    assert [entry["label"] for entry in entries] == ["model-2", "model-3", "switching"]
    assert [entry["generator"] for entry in entries] == ["a/model", "b/model", "c/model"]
    assert {entry["name"] for entry in entries} == {"baseline"}


def test_other_models_follow_the_samplers_and_do_not_become_the_reference() -> None:
    plan = plan_of("switching", "baseline", against=("org/model",))
    assert [sampler.key for sampler in plan.samplers] == ["switching", "baseline", "model"]
    assert plan.generators == ("builtin:faces64", "org/model")
    assert plan.reference_sampler == "baseline"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.6", 0.6),
        (".5", 0.5),
        ("3", 3),
        ("true", True),
        ("[0.1, 0.9]", [0.1, 0.9]),
        ('{"female>male": 0.6}', {"female>male": 0.6}),
        ("auto", "auto"),
        ("[", "["),
        ("[" * 100_000, "[" * 100_000),
        ("", ""),
    ],
)
def test_values_are_json_or_text(text: str, value: object) -> None:
    assert parse_value(text) == value


def test_parameters_that_are_json_reach_the_plan() -> None:
    plan = plan_of("switching", settings=('switching.tau={"female>male": 0.6, "male>female": 0.7}',))
    assert plan.samplers[0].parameters["tau"] == {"female>male": 0.6, "male>female": 0.7}


@pytest.mark.parametrize("setting", ["tau=1", "low.tau", "high.tau=1", ".tau=1", "low.=1"])
def test_a_setting_of_no_sampler_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        apply_settings([{"name": "switching", "label": "low"}], [setting])


def test_a_model_runs_as_deployed_where_nobody_said_otherwise(tmp_path: Path) -> None:
    assert (plan_of().sampling.steps, plan_of().sampling.guidance_scale) == (20, 1.75)
    path = tmp_path / "plan.yaml"
    path.write_text("generator: builtin:faces64\nsampling: {guidance_scale: 2}\n")
    plan = build_plan(None, path, fields={"sampling.steps": 7})
    assert (plan.sampling.steps, plan.sampling.guidance_scale) == (7, 2)
