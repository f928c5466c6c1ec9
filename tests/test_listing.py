"""What can be named: lists, and `--samplers all`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from fairaudit import registry
from fairaudit.auditing import without_impossible
from fairaudit.errors import UsageError
from fairaudit.models.schedulers import SCHEDULERS
from fairaudit.plan_parts import SchedulerName
from fairaudit.planning import build_plan

Fairaudit = Callable[..., int]


def test_all_is_what_can_be_and_says_what_cannot(
    tiny_pipeline: Path, tmp_path: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = build_plan(str(tiny_pipeline), samplers=["all"], fields={})
    kept, left_out = without_impossible(plan, "cpu")
    made = [sampler.key for sampler in kept.samplers]
    assert made[0] == "baseline"
    assert {*made, *left_out} == {*registry.names("samplers")}
    assert {*left_out} == {"composable", "gcdm", "latent-variable", "distribution-guidance"}
    (tmp_path / "notes.txt").write_text("not a run")
    assert fairaudit("compare", tiny_pipeline, "--samplers", "all", "--out", tmp_path) == 2
    said = capsys.readouterr().err
    assert all(f"left out: {why}\n" in said for why in left_out.values())
    assert "--debias gender,age" in said


def test_all_with_a_wrong_parameter_is_refused_not_left_out(
    tiny_pipeline: Path, tmp_path: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ("--samplers", "all", "--set", "switching.tau=7", "--out", tmp_path / "run")
    assert fairaudit("compare", tiny_pipeline, *wrong) == 2
    assert "tau is a point in [0, 1]" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_parameters_are_listed_by_the_name_that_set_takes(
    fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fairaudit("list", "samplers", "--parameters") == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["switching.tau"] == "0.64"
    assert lines["bo-ddnm.box"] == "[0.25, 0.25, 0.75, 0.75]"
    assert "Choi et al." in lines["switching"]
    assert not any(key.endswith(".name") for key in lines)


def test_prompt_sets_are_listed_with_their_source(
    fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fairaudit("list", "prompts") == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["fair-diffusion"].startswith("153 prompts")
    for name, words in {"winobias": "Zhao et al. 2018", "labour": "Bureau of Labor Statistics"}.items():
        assert words in lines[name]
        assert "licence MIT" in lines[name]


def test_plans_name_the_schedulers_that_there_are() -> None:
    assert {*get_args(SchedulerName)} == {"model", *SCHEDULERS}


def test_classifiers_are_listed_with_what_they_read_and_need(
    fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fairaudit("list", "classifiers") == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert {*lines} == {*registry.names("classifiers")}
    for line in lines.values():
        assert all(word in line for word in ("reads ", "licence: ", "size: ", "weights: "))
    assert "reads gender, race, age; licence: CC BY 4.0" in lines["builtin:faces64-classifier"]
    assert "weights: present" in lines["builtin:faces64-classifier"]
    assert "weights: --weights FILE" in lines["fairface"]


def test_a_list_for_programs_says_what_the_one_for_people_says(
    fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fairaudit("list", "classifiers") == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert fairaudit("list", "classifiers", "--json") == 0
    assert json.loads(capsys.readouterr().out) == lines


@pytest.mark.parametrize("name", ["hf:", "torchvision:", "clip:", "vqa:"])
def test_the_beginning_of_a_name_is_no_name(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is how names begin: say what follows"):
        registry.resolve("classifiers", name)


@pytest.mark.parametrize("command", [("list", "samplers"), ("power",), ("doctor", "--no-test")])
def test_a_file_holds_what_programs_are_told(
    fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert fairaudit(*command, "--json", "--out", tmp_path / "new" / "a.json") == 0
    told = capsys.readouterr().out
    assert (tmp_path / "new" / "a.json").read_text() == told
    assert fairaudit(*command, "--out", tmp_path / "b.json") == 0
    assert capsys.readouterr().out != told
    kept = json.loads((tmp_path / "b.json").read_text())
    assert len(kept) == len(json.loads(told)) > 0
