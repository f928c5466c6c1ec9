"""`fairaudit report RUN_A RUN_B`: two runs side by side, and what is said where they cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairaudit.beside import open_two, put_side_by_side
from fairaudit.results import Results
from fairaudit.versus import Versus

Fairaudit = Callable[..., int]
PROMPTS = ("a photo of a {attribute} nurse", "a photo of a {attribute} engineer")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the Gaussian mixture: one, one with more guidance and a sampler more, one of another seed."""
    from fairaudit.auditing import audit
    from fairaudit.planning import build_plan
    from fairaudit.progress import progress_bars

    folder = tmp_path_factory.mktemp("runs")
    asked: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
        "before": (("baseline", "switching"), {}),
        "after": (("baseline", "switching", "mixing"), {"sampling.guidance_scale": 6.0}),
        "other-seed": (("baseline",), {"sampling.seed": 5}),
    }
    for name, (samplers, fields) in asked.items():
        plan = build_plan(
            "analytic:gmm", samplers=samplers, prompts=PROMPTS,
            fields={"sampling.images_per_prompt": 16, "sampling.steps": 8, "measurement.replicates": 400}
            | fields,
        )  # fmt: skip
        with progress_bars(visible=False) as bars, pytest.MonkeyPatch.context() as patch:
            patch.setattr("fairaudit.auditing.write_reports", lambda *_: {})  # of two runs is enough
            audit(plan, folder / name, "cpu", bars)
    return folder


def table(path: Path, rng: np.random.Generator, share: float, attribute: str = "gender") -> Path:
    """Labels of two prompts, 60 each."""
    values = {"gender": ("female", "male"), "tone": ("light", "dark")}[attribute]
    rows = [f"prompt,index,sampler,{attribute}"]
    for prompt in ("a nurse", "an engineer"):
        for i in range(60):
            rows.append(f"{prompt},{i},mine,{values[int(rng.random() > share)]}")
    path.write_text("\n".join(rows) + "\n")
    return path


def versus(fairaudit: Fairaudit, first: Path, second: Path, out: Path) -> Versus:
    assert fairaudit("report", first, second, "--out", out) == 0
    return Versus.model_validate_json((out / "versus.json").read_bytes())


def test_two_runs_of_one_seed_are_compared_in_pairs(fairaudit: Fairaudit, runs: Path, tmp_path: Path):
    found = versus(fairaudit, runs / "before", runs / "after", tmp_path)
    assert found.paired
    assert [pair.sampler for pair in found.pairs] == ["baseline", "switching"]
    assert "Only after has mixing: not compared." in found.notes
    assert any(entry.startswith("sampling.guidance_scale:") for entry in found.differs)
    fairness = [c for c in found.comparisons if c.metric == "gender.fd_prompts"]
    assert [(c.a, c.b) for c in fairness] == [
        ("after/baseline", "before/baseline"),
        ("after/switching", "before/switching"),
    ]
    assert {c.test for c in fairness} == {"paired permutation"}
    # The shares move as the two runs' own shares say.
    for pair in found.pairs:
        for value, moved in pair.shares["gender"].items():
            own = [
                Results.load(runs / name / "results.json").samplers[pair.sampler].attributes["gender"]
                for name in ("before", "after")
            ]
            assert moved.value == pytest.approx(own[1].shares[value].value - own[0].shares[value].value)
    tested = [c for c in found.comparisons if c.p_value is not None]
    assert all((c.p_adjusted or 0) >= (c.p_value or 0) for c in tested)
    page = (tmp_path / "report.html").read_text()
    for sentence in found.verdicts:
        assert sentence in page
    assert "Same prompt, same noise" in page
    assert page.count("after/mixing") > 1
    assert {path.name for path in tmp_path.iterdir()} >= {"report.html", "report.pdf", "report.md"}
    assert not (runs / "after" / "versus-before").exists()


def test_the_other_way_round_is_the_mirror_image(runs: Path):
    one, other = (
        put_side_by_side(*open_two(runs / a, runs / b)).versus
        for a, b in (("before", "after"), ("after", "before"))
    )
    assert one is not None
    assert other is not None
    for c, d in zip(one.comparisons, other.comparisons, strict=True):
        assert c.metric == d.metric
        assert c.difference.value == pytest.approx(-d.difference.value, abs=1e-4)


def test_a_run_beside_itself_shows_no_difference(fairaudit: Fairaudit, runs: Path, tmp_path: Path):
    found = versus(fairaudit, runs / "before", runs / "before", tmp_path)
    assert (found.first.name, found.second.name) == ("before", "before-2")
    assert found.differs == []
    assert {c.difference.value for c in found.comparisons} == {0}
    assert {c.p_adjusted for c in found.comparisons} <= {1.0, None}
    assert all("no difference" in sentence for sentence in found.verdicts)


def test_runs_of_other_noise_are_compared_as_sets(fairaudit: Fairaudit, runs: Path, tmp_path: Path):
    found = versus(fairaudit, runs / "before", runs / "other-seed", tmp_path)
    assert not found.paired
    assert all(not c.paired for c in found.comparisons)
    assert "Only before has switching: not compared." in found.notes
    assert "do not share their noise" in (tmp_path / "report.html").read_text()


def test_labels_without_images_and_where_the_reports_go(fairaudit: Fairaudit, tmp_path: Path, capsys):
    rng = np.random.default_rng(3)
    for name, share in (("one", 0.9), ("two", 0.55)):
        path = table(tmp_path / f"{name}.csv", rng, share)
        assert fairaudit("audit", path, "--quiet", "--out", tmp_path / name) == 0
    capsys.readouterr()
    assert fairaudit("report", tmp_path / "one", tmp_path / "two", "--json") == 0
    found = Versus.model_validate(json.loads(capsys.readouterr().out))
    assert (tmp_path / "two" / "versus-one" / "versus.json").exists()
    assert not found.paired
    (fairness,) = found.comparisons
    assert fairness.difference.high < 0
    assert "two is fairer than one under mine" in found.verdicts[0]


def test_runs_without_a_common_attribute_say_so(fairaudit: Fairaudit, tmp_path: Path):
    rng = np.random.default_rng(4)
    table(tmp_path / "one.csv", rng, 0.9)
    table(tmp_path / "two.csv", rng, 0.5, "tone")
    assert fairaudit("audit", tmp_path / "one.csv", "--quiet", "--out", tmp_path / "one") == 0
    target = ("--attribute", "tone", "--target", "tone=light:0.5,dark:0.5")
    assert fairaudit("audit", tmp_path / "two.csv", *target, "--quiet", "--out", tmp_path / "two") == 0
    found = versus(fairaudit, tmp_path / "one", tmp_path / "two", tmp_path / "both")
    assert found.comparisons == []
    assert "no attribute in common" in found.verdicts[0]
    assert {"Only one audits gender: not compared.", "Only two audits tone: not compared."} <= set(
        found.notes
    )


def test_another_target_is_compared_by_intervals_and_noted(fairaudit: Fairaudit, tmp_path: Path):
    path = table(tmp_path / "labels.csv", np.random.default_rng(5), 0.7)
    target = ("--target", "gender=female:0.7,male:0.3")
    assert fairaudit("audit", path, "--quiet", "--out", tmp_path / "one") == 0
    assert fairaudit("audit", path, *target, "--quiet", "--out", tmp_path / "two") == 0
    found = versus(fairaudit, tmp_path / "one", tmp_path / "two", tmp_path / "both")
    assert any("another target" in note for note in found.notes)
    assert "from their intervals" in found.comparisons[0].difference.method


def test_what_is_no_run_is_one_sentence(fairaudit: Fairaudit, runs: Path, tmp_path: Path, capsys):
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("results.json", "plan.yaml", "manifest.json"):
        assert fairaudit("report", runs / "before", broken) == 2
        assert f"holds no {name}" in capsys.readouterr().err
        (broken / name).write_text("{}")
    for other in (broken, tmp_path / "nowhere", runs / "before" / "results.json"):
        assert fairaudit("report", runs / "before", other) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert fairaudit("report", runs / "before", "--json") == 2


def test_a_hostile_folder_name_stays_text(fairaudit: Fairaudit, tmp_path: Path):
    rng = np.random.default_rng(6)
    folder = tmp_path / "<script>alert(1)<"
    assert fairaudit("audit", table(tmp_path / "a.csv", rng, 0.6), "--quiet", "--out", folder) == 0
    found = versus(fairaudit, folder, folder, tmp_path / "out")
    assert (found.first.name, found.second.name) == ("script-alert-1", "script-alert-1-2")
    assert "<script>alert" not in (tmp_path / "out" / "report.html").read_text()
