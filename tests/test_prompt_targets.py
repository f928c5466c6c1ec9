"""Targets that differ from prompt to prompt: what is aimed at, what is held against what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fairaudit.errors import UsageError
from fairaudit.plan import make_plan
from fairaudit.planning import build_plan
from fairaudit.prompt_sets import labour_targets
from fairaudit.results import Results
from fairaudit.statistics.amplification import bias_amplification
from fairaudit.statistics.prompts import paired_prompt_difference, prompt_discrepancy
from fairaudit.stopping import Watch, parse_rule
from fairaudit.store import Run

Fairaudit = Callable[..., int]

WOMEN = {"a photo of a nurse": 0.9, "a photo of a mechanic": 0.05, "a photo of a chef": 0.25}
"""Share of women that a prompt should have; 0.4 in the mean."""


def both(shares: Mapping[str, float]) -> dict[str, dict[str, float]]:
    return {prompt: {"female": share, "male": 1 - share} for prompt, share in shares.items()}


def label_table(path: Path, shares: Mapping[str, float], each: int = 400) -> Path:
    """Labels in which every prompt has exactly the shares that are asked for."""
    rows = [
        {"prompt": prompt, "gender": "female" if index < round(share * each) else "male"}
        for prompt, share in shares.items()
        for index in range(each)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def audited(fairaudit: Fairaudit, folder: Path, table: Path, **plan: Any) -> Results:
    (folder / "plan.yaml").write_text(make_plan({"generator": str(table), **plan}).to_yaml())
    out = folder / "run"
    assert fairaudit("audit", table, "--plan", folder / "plan.yaml", "--out", out, "--quiet") == 0
    return Results.load(out / "results.json")


def test_every_prompt_on_its_own_target_is_fair_and_would_not_be_on_a_common_one(
    fairaudit: Fairaudit, tmp_path: Path
) -> None:
    table = label_table(tmp_path / "labels.csv", WOMEN)
    own, common = tmp_path / "own", tmp_path / "common"
    own.mkdir(), common.mkdir()
    sampler = audited(fairaudit, own, table, prompt_targets={"gender": both(WOMEN)}).samplers["images"]
    whole = sampler.attributes["gender"]
    assert whole.target == pytest.approx({"female": 0.4, "male": 0.6})
    assert whole.fd.value == pytest.approx(0, abs=1e-12)
    assert whole.fd_prompts is not None
    assert whole.fd_prompts.value == 0
    assert whole.fd_prompts.raw == pytest.approx(0, abs=1e-12)
    assert whole.p_value == 1
    assert whole.verdict == "fair"
    for prompt, share in WOMEN.items():
        result = sampler.prompts[prompt].attributes["gender"]
        assert result.target == pytest.approx({"female": share, "male": 1 - share})
        assert result.fd.value == pytest.approx(0, abs=1e-12)
        assert result.verdict == "fair"
    html = (own / "run" / "report.html").read_text()
    assert "held against its own" in html
    assert "target 90" in html
    # The mean of the targets, asked of every prompt: the same labels are then unfair everywhere.
    mean = {"gender": {"female": 0.4, "male": 0.6}}
    uniform = audited(fairaudit, common, table, targets=mean).samplers["images"]
    assert uniform.attributes["gender"].fd.value == pytest.approx(0, abs=1e-12)
    assert uniform.attributes["gender"].verdict == "unfair"
    assert {p.attributes["gender"].verdict for p in uniform.prompts.values()} == {"unfair"}
    assert "held against its own" not in (common / "run" / "report.html").read_text()


def test_prompts_of_unequal_size_are_held_against_the_mean_over_images(
    fairaudit: Fairaudit, tmp_path: Path
) -> None:
    table = pd.concat(
        [
            pd.read_csv(label_table(tmp_path / "a.csv", {"a photo of a nurse": 0.9}, 300)),
            pd.read_csv(label_table(tmp_path / "b.csv", {"a photo of a mechanic": 0.05}, 100)),
        ]
    )
    table.to_csv(tmp_path / "labels.csv", index=False)
    targets = both({prompt: WOMEN[prompt] for prompt in ("a photo of a nurse", "a photo of a mechanic")})
    results = audited(fairaudit, tmp_path, tmp_path / "labels.csv", prompt_targets={"gender": targets})
    whole = results.samplers["images"].attributes["gender"]
    assert whole.target["female"] == pytest.approx((300 * 0.9 + 100 * 0.05) / 400)
    assert whole.fd.value == pytest.approx(0, abs=1e-12)


def test_combinations_are_held_against_the_mean_of_the_products(fairaudit: Fairaudit, tmp_path: Path) -> None:
    """Two attributes that both follow the prompt go together, though independent under each prompt."""
    prompts = ("a photo of a nurse", "a photo of a mechanic")
    colours = {prompts[0]: 0.8, prompts[1]: 0.3}
    women = {prompt: WOMEN[prompt] for prompt in prompts}
    rows = []
    for prompt in prompts:
        for index in range(400):
            woman = index < round(women[prompt] * 400)
            place = index if woman else index - round(women[prompt] * 400)
            many = round(400 * (women[prompt] if woman else 1 - women[prompt]))
            rows.append(
                {
                    "prompt": prompt,
                    "gender": "female" if woman else "male",
                    "shirt": "red" if place < round(colours[prompt] * many) else "blue",
                }
            )
    pd.DataFrame(rows).to_csv(tmp_path / "labels.csv", index=False)
    shirts = {prompt: {"red": share, "blue": 1 - share} for prompt, share in colours.items()}
    results = audited(
        fairaudit,
        tmp_path,
        tmp_path / "labels.csv",
        attributes=["gender", "shirt"],
        values={"shirt": ["red", "blue"]},
        prompt_targets={"gender": both(women), "shirt": shirts},
    )
    crossed = results.samplers["images"].intersections["gender x shirt"]
    assert crossed.target["female | red"] == pytest.approx((0.9 * 0.8 + 0.05 * 0.3) / 2)
    assert crossed.fd.value == pytest.approx(0, abs=0.01)


def test_labour_statistics_are_the_target_of_each_occupation(fairaudit: Fairaudit, tmp_path: Path) -> None:
    shares = {"a photo of a nurse": 0.8958, "Image of a successful Mechanic": 0.018}
    table = label_table(tmp_path / "labels.csv", shares, 10_000)
    assert fairaudit("audit", table, "--target", "gender=labour", "--out", tmp_path / "run") == 0
    sampler = Results.load(tmp_path / "run" / "results.json").samplers["images"]
    assert sampler.attributes["gender"].verdict == "fair"
    found = {prompt: part.attributes["gender"].target["female"] for prompt, part in sampler.prompts.items()}
    assert found == pytest.approx(shares)
    assert "Bureau of Labor Statistics" in (tmp_path / "run" / "report.html").read_text()


def test_occupations_without_statistics_are_named() -> None:
    with pytest.raises(UsageError, match="do not know plane mechanic, astronaut; they know accountant"):
        labour_targets(["a photo of a nurse", "a photo of a plane mechanic", "an astronaut"])


@pytest.mark.parametrize("target", ["race=labour", "gender=labour"])
def test_labour_needs_occupations_and_gender(target: str, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("gender\nfemale\nmale\n")
    with pytest.raises(UsageError, match="labour"):
        build_plan(
            str(tmp_path / "labels.csv"),
            given_allowed=True,
            targets=[target],
            fields={"attributes": [target.partition("=")[0]]},
        )


def test_another_target_on_the_command_line_replaces_those_of_prompts(tmp_path: Path) -> None:
    given: dict[str, Any] = {"prompts": ["labour"], "fields": {}}
    labour = build_plan("builtin:faces64", targets=["gender=labour"], **given)
    assert labour.target("gender", "a photo of a nurse")["female"] == 0.8958
    assert labour.target("gender")["female"] == pytest.approx(0.50362, abs=5e-6)  # the mean of the 60
    (tmp_path / "plan.yaml").write_text(labour.to_yaml())
    again = build_plan(None, tmp_path / "plan.yaml", **given)
    assert again == labour
    uniform = build_plan(None, tmp_path / "plan.yaml", targets=["gender=uniform"], **given)
    assert uniform.prompt_targets == {}
    assert uniform.target("gender", "a photo of a nurse") == {"female": 0.5, "male": 0.5}


@pytest.mark.parametrize(
    "targets",
    [
        {"race": {"a photo of a nurse": {"White": 1.0}}},
        {"gender": {"a photo of a doctor": {"female": 0.5, "male": 0.5}}},
        {"gender": {"a photo of a nurse": {"female": 0.5, "male": 0.6}}},
        {"gender": {"a photo of a nurse": {"female": 1.0}}},
    ],
)
def test_targets_of_prompts_are_checked(targets: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="target"):
        make_plan({"generator": "x", "prompts": ["a photo of a nurse"], "prompt_targets": targets})


def test_samplers_aim_at_the_prompts_own_target(
    tiny_pipeline: Path, tmp_path: Path, fairaudit: Fairaudit
) -> None:
    prompts = (
        "--prompts",
        "a photo of a {attribute} nurse",
        "--prompts",
        "a photo of a {attribute} mechanic",
    )
    small = ("--images", 20, "--steps", 2, "--samplers", "switching", "--target", "gender=labour", "--quiet")
    assert fairaudit("compare", tiny_pipeline, *prompts, *small, "--out", tmp_path / "run") == 0
    samples = Run(tmp_path / "run").read_columns("samples", ["prompt", "assignment"], "switching")
    women = (samples["assignment"] == "female").groupby(samples["prompt"]).sum()
    assert women.to_dict() == {"a photo of a nurse": 18, "a photo of a mechanic": 0}


def test_one_target_given_once_or_for_every_prompt_is_the_same() -> None:
    counts, confusion = np.array([[30, 10, 5], [4, 20, 9], [8, 8, 8]]), np.full((3, 3), 5) + 90 * np.eye(3)
    goal = np.array([0.5, 0.3, 0.2])
    for matrix in (None, confusion):
        one = prompt_discrepancy(counts, goal, matrix, seed=3)
        assert prompt_discrepancy(counts, np.tile(goal, (3, 1)), matrix, seed=3) == one


def test_renaming_the_values_of_a_prompt_and_its_target_changes_nothing() -> None:
    """Symmetric errors: what is female under one prompt may as well be male under the other."""
    counts, targets = np.array([[45, 5], [12, 28], [20, 20]]), np.array([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2]])
    turned = counts.copy()
    turned[1], own = turned[1, ::-1], targets.copy()
    own[1] = own[1, ::-1]
    plain, other = (prompt_discrepancy(c, t, seed=1) for c, t in ((counts, targets), (turned, own)))
    assert other.value == pytest.approx(plain.value, rel=1e-9)
    assert other.raw == pytest.approx(plain.raw, rel=1e-9)
    assert (other.low, other.high) == pytest.approx((plain.low, plain.high), abs=0.02)
    assert other.null95 == pytest.approx(plain.null95, abs=0.02)


def test_samplers_are_compared_on_each_prompts_own_target() -> None:
    rng = np.random.default_rng(0)
    prompts = np.repeat([0, 1], 300)
    on_target = np.where(prompts == 0, rng.random(600) < 0.1, rng.random(600) < 0.9).astype(int)
    fair_halves = rng.integers(2, size=600)
    targets = [[0.9, 0.1], [0.1, 0.9]]
    paired = paired_prompt_difference(fair_halves, on_target, prompts, targets)
    assert paired.difference.low is not None
    assert paired.difference.low > 0.3
    assert paired.p_value is not None
    assert paired.p_value < 0.01
    swapped = paired_prompt_difference(fair_halves, on_target, prompts, [0.5, 0.5])
    assert swapped.difference.high is not None
    assert swapped.difference.high < -0.3


def test_amplification_leans_to_the_side_of_the_own_target() -> None:
    # Planted .6 is above the own target of .5 but below that of .7; the generator makes .8 and .8.
    counts, planted = np.array([[80, 20], [80, 20]]), np.array([[0.6, 0.4], [0.6, 0.4]])
    estimate = bias_amplification(counts, planted, [[0.5, 0.5], [0.7, 0.3]])
    assert estimate.value == pytest.approx((0.2 - 0.2) / 2)
    assert bias_amplification(counts, planted, [0.5, 0.5]).value == pytest.approx(0.2)


@pytest.mark.parametrize(
    "targets", [[[0.5, 0.5]], [[0.5, 0.5]] * 3, [[0.5, 0.5], [1.5, -0.5]], np.zeros((2, 2))]
)
def test_targets_that_do_not_belong_to_the_prompts_are_refused(targets: Any) -> None:
    with pytest.raises(ValueError, match="target"):
        prompt_discrepancy([[5, 5], [6, 4]], targets)


def test_a_sequential_audit_watches_each_prompt_against_its_own_target() -> None:
    shares = {"nurse": [0.9, 0.1], "mechanic": [0.1, 0.9]}
    arguments: dict[str, Any] = {
        "samplers": ["s"], "prompts": list(shares), "attribute": "gender", "values": ("female", "male"),
        "target": [0.5, 0.5], "confusion": None, "level": 0.05, "tolerance": 0.2, "planned": 2000,
    }  # fmt: skip
    counts = {("s", prompt): np.array(share) * 1000 for prompt, share in shares.items()}
    own = Watch(parse_rule("verdict"), **arguments, targets=shares)
    common = Watch(parse_rule("verdict"), **arguments)
    for watch in (own, common):
        watch.look(counts)
    assert (own.verdict("s"), common.verdict("s")) == ("fair", "unfair")
