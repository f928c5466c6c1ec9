"""Several attributes debiased together: what is aimed at, stored, and probed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairaudit.plan import AuditPlan, make_plan
from fairaudit.planning import build_plan
from fairaudit.probing import obfuscation_of
from fairaudit.results import Results
from fairaudit.store import Run, units_of

BOTH = {"generator": "x", "attributes": ["gender", "age"], "debias": ["age", "gender"]}


class Reader:
    """A classifier that is asked for nothing but its name."""

    name = "reader"


def stored(folder: Path, plan: AuditPlan, features: Callable[[list[str]], np.ndarray], n: int = 360) -> Run:
    """A run whose pictures were assigned all combinations in turn, with the features that a test wants."""
    run = Run(folder)
    (unit,) = units_of(1, n, n)
    told = [plan.aim.values[index % len(plan.aim.values)] for index in range(n)]
    run.write_samples("switching", unit, np.zeros((n, 2, 2, 3), np.uint8), "a nurse", told)
    columns = {"index": list(unit.indices), "prompt": "a nurse", "feature": list(features(told))}
    run.write_table(run.path("features", "reader", "switching", unit.name), pd.DataFrame(columns))
    return run


def test_the_parts_of_an_assignment_are_probed_by_their_own_attribute(tmp_path: Path) -> None:
    plan = make_plan(BOTH)

    def features(told: list[str]) -> np.ndarray:
        noise = np.random.default_rng(0).normal(size=(len(told), 4))
        noise[:, 0] += [20.0 * value.startswith("female") for value in told]
        return noise

    found = obfuscation_of(stored(tmp_path, plan, features), plan, Reader(), "switching")  # type: ignore[arg-type]
    assert set(found) == {"gender", "age", "gender x age"}
    assert found["gender"].error.value == 0
    # Nine ages that nothing tells, and eighteen cells of which half the name is known.
    age, cells = found["age"].error, found["gender x age"].error
    assert age.value == pytest.approx(8 / 9, abs=0.08)
    assert cells.value == pytest.approx(8 / 9, abs=0.08)
    assert "0.889" in age.method
    assert "0.944" in cells.method


def test_what_is_not_measured_together_is_not_probed_together(tmp_path: Path) -> None:
    plan = make_plan(BOTH | {"intersections": []})
    run = stored(tmp_path, plan, lambda told: np.random.default_rng(1).normal(size=(len(told), 2)))
    assert set(obfuscation_of(run, plan, Reader(), "switching")) == {"gender", "age"}  # type: ignore[arg-type]


def test_the_aim_is_every_combination_with_the_product_of_the_targets() -> None:
    plan = make_plan(BOTH | {"targets": {"gender": {"female": 0.25, "male": 0.75}}})
    assert plan.aim.name == "gender x age"
    target = plan.aim_target("a nurse")
    assert target["female | 3-9"] == pytest.approx(0.25 / 9)
    assert sum(target.values()) == pytest.approx(1)


def test_debias_names_attributes_of_the_run(
    fairaudit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert fairaudit("compare", "builtin:faces64", "--debias", "gender,race") == 2
    assert "'race' is to be debiased, but is not among the attributes" in capsys.readouterr().err


def test_a_joint_run_aims_at_combinations_and_measures_each_attribute(
    tiny_pipeline: Path, tmp_path: Path, fairaudit: Callable[..., int]
) -> None:
    arguments = ("--attribute", "gender", "--attribute", "race", "--debias", "gender,race")
    small = ("--prompts", "a photo of a {attribute} nurse", "--images", 28, "--steps", 2, "--quiet")
    out = tmp_path / "run"
    more = ("--samplers", "baseline,switching", "--device", "cpu", "--out", out)
    assert fairaudit("compare", tiny_pipeline, *arguments, *small, *more) == 0
    told = Run(out).read_all("samples", "switching")["assignment"].value_counts()
    assert set(told) == {2}
    assert len(told) == 14
    assert "female | East Asian" in told
    results = Results.load(out / "results.json")
    assert set(results.samplers["switching"].obfuscation) == {"gender", "race", "gender x race"}
    assert set(results.samplers["switching"].attributes) == {"gender", "race"}
    html = (out / "report.html").read_text()
    assert "Balanced probe error and FD in perceived gender x race" in html
    assert "gender x race" in (out / "report.md").read_text()


def test_options_reach_the_plan_in_the_order_of_the_attributes() -> None:
    plan = build_plan(
        "builtin:faces64",
        samplers=["switching"],
        fields={"attributes": ["gender", "race"], "debias": ["race", "gender"]},
    )
    assert plan.debiased == ("gender", "race")
