"""The gate in CI: the workflow of the documentation is valid, and its shell does what it says."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from fairaudit.gating import judge, parse_rule
from tests.reports.sample import sample_report

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "gate.md"


def steps() -> list[dict[str, object]]:
    workflow = PAGE.read_text(encoding="utf-8").split("## GitHub Actions")[1]
    found = yaml.safe_load(re.search(r"```yaml[^\n]*\n(.*?)```", workflow, re.S)[1])
    assert found["jobs"]["audit"]["runs-on"] == "ubuntu-latest"
    return found["jobs"]["audit"]["steps"]


def test_every_step_is_an_action_or_a_command():
    for step in steps():
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w/-]+@v\d+", step["uses"])
        else:
            subprocess.run(["bash", "-n", "-c", step["run"]], check=True)


@pytest.mark.parametrize(("gate", "ends"), [(0, 0), (3, 3), (4, 0), (2, 2), (1, 1)])
def test_the_gate_s_step_fails_where_it_should(tmp_path: Path, gate: int, ends: int):
    (step,) = [step for step in steps() if step.get("name") == "gate"]
    command = tmp_path / "fairaudit"
    command.write_text(f"#!/bin/sh\nexit {gate}\n")
    command.chmod(0o755)
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]], env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == ends
    assert ("::warning::" in done.stdout) == (gate == 4)


def test_judgements_are_written_beside_what_is_printed(
    fairaudit: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "results.json").write_text(sample_report().results.to_json())
    out = tmp_path / "deep" / "gate.json"
    assert fairaudit("gate", tmp_path, "switching:nfe_per_image <= 40", "--out", out) == 0
    assert "passed" in capsys.readouterr().out
    assert json.loads(out.read_text())["rules"][0]["outcome"] == "passed"


def test_any_number_of_two_samplers_can_be_held_to_a_limit():
    results = sample_report().results
    (kid,) = judge(results, [parse_rule("switching vs baseline kid <= 0.01")])
    assert kid.outcome == "passed"
    assert "whatever their dependence" in kid.estimate.method
    (count,) = judge(results, [parse_rule("guidance vs baseline nfe_per_image <= 10")])
    assert (count.outcome, count.estimate.value) == ("failed", 20)
    # What was compared in pairs stays what was compared.
    (fd,) = judge(results, [parse_rule("switching vs baseline gender.fd_prompts <= 0")])
    stored = next(c for c in results.comparisons if (c.a, c.b) == ("switching", "baseline"))
    assert fd.estimate == stored.difference
