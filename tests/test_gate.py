"""`fairaudit gate`: a finished run held to limits, and the exit code that says how it went."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.errors import UsageError
from fairaudit.gating import decide, judge, parse_rule, read_rules, together
from tests.reports.sample import sample_report

Fairaudit = Callable[..., int]

ends = st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(sorted).map(tuple)


@pytest.mark.parametrize(
    ("interval", "limit", "margin", "upper", "outcome"),
    [
        ((0.02, 0.05, 0.10), 0.1, 0.0, True, "passed"),
        ((0.02, 0.05, 0.11), 0.1, 0.0, True, "not enough evidence"),
        ((0.02, 0.05, 0.11), 0.1, 0.02, True, "passed"),
        ((0.11, 0.15, 0.20), 0.1, 0.02, True, "failed"),
        ((0.45, 0.50, 0.55), 0.4, 0.0, False, "passed"),
        ((0.35, 0.50, 0.55), 0.4, 0.0, False, "not enough evidence"),
        ((0.35, 0.50, 0.55), 0.4, 0.05, False, "passed"),
        ((0.10, 0.20, 0.30), 0.4, 0.05, False, "failed"),
    ],
)
def test_an_interval_decides(interval, limit, margin, upper, outcome):
    assert decide(interval, 100, limit, margin, upper=upper)[0] == outcome


def test_no_number_of_images_tells_on_which_side_of_a_limit_a_value_lies_that_is_on_it():
    assert decide((-0.1, 1e-200, 0.1), 50, 0.0, 0.0, upper=True) == ("not enough evidence", None)


@given(ends, st.floats(-1, 1), st.floats(0, 0.5))
def test_at_least_is_at_most_of_the_mirror_image(interval, limit, margin):
    mirrored = tuple(-end for end in reversed(interval))
    assert decide(interval, 50, limit, margin, upper=True) == decide(
        mirrored, 50, -limit, margin, upper=False
    )


@given(st.floats(0.001, 0.3), st.floats(0, 0.3), st.integers(10, 10_000))
def test_as_many_images_as_it_says_are_enough_and_a_tenth_fewer_are_not(half_width, value, images):
    limit = 0.1
    outcome, enough = decide((value - half_width, value, value + half_width), images, limit, 0.0, upper=True)
    if outcome != "not enough evidence" or enough is None or enough > 10**9:
        return

    def at(n):
        half = half_width * math.sqrt(images / n)
        return decide((value - half, value, value + half), n, limit, -1e-9, upper=True)[0]

    assert enough >= images
    assert at(enough * 1.01 + 1) != "not enough evidence"
    assert at(enough * 0.9) == "not enough evidence"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("gender.fd < 0.1", "not of the form"),
        ("gender.fd <= much", "'much' where a number should be"),
        ("gender.fd <= nan", "finite"),
        ("gender.fd <= 0.1 within -0.1", "margin below 0"),
        ("", "not of the form"),
        ("a vs b", "not of the form"),
    ],
)
def test_a_rule_of_another_form_is_refused(text, problem):
    with pytest.raises(UsageError, match=problem):
        parse_rule(text)


def test_what_a_rule_says():
    rule = parse_rule('switching:gender.shares.female for "a photo of a <b>nurse</b>" >= 0.4 within 0.05')
    assert (rule.metric, rule.prompt) == ("switching:gender.shares.female", "a photo of a <b>nurse</b>")
    assert (rule.upper, rule.limit, rule.margin) == (False, 0.4, 0.05)
    rule = parse_rule("switching vs baseline gender.fd <= -0.1")
    assert (rule.sampler, rule.against, rule.metric, rule.limit) == (
        "switching",
        "baseline",
        "gender.fd",
        -0.1,
    )


def test_rules_come_from_files_too(tmp_path):
    (tmp_path / "a.yaml").write_text('rules:\n - "gender.fd <= 0.1"\n')
    (tmp_path / "b.yml").write_text('- "race.fd <= 0.2"\n')
    rules = read_rules([str(tmp_path / "a.yaml"), "age.fd <= 0.3", str(tmp_path / "b.yml")])
    assert [rule.metric for rule in rules] == ["gender.fd", "age.fd", "race.fd"]
    for content in ("rules: 3", "- 3", "[", "- {a: b}"):
        (tmp_path / "c.yaml").write_text(content)
        with pytest.raises(UsageError, match=r"c\.yaml"):
            read_rules([str(tmp_path / "c.yaml")])


def test_rules_about_every_part_of_a_run():
    results = sample_report().results
    sampler = next(iter(results.samplers))
    found = results.samplers[sampler].attributes["gender"]
    (one,) = judge(results, [parse_rule(f"{sampler}:gender.fd <= {found.fd.high}")])
    assert one.outcome == "passed"
    (one,) = judge(results, [parse_rule(f"{sampler}:gender.fd >= {found.fd.high + 0.01}")])
    assert one.outcome == "failed"
    frechet = f"{sampler}:frechet:builtin:faces64-classifier >= 0"
    (one,) = judge(results, [parse_rule(frechet)])
    assert one.outcome == "passed"
    comparison = next(c for c in results.comparisons if c.difference.value is not None)
    forward = f"{comparison.a} vs {comparison.b} {comparison.metric} <= {comparison.difference.high}"
    backward = f"{comparison.b} vs {comparison.a} {comparison.metric} >= {-comparison.difference.high}"
    both = judge(results, [parse_rule(forward), parse_rule(backward)])
    assert [one.outcome for one in both] == ["passed", "passed"]
    assert both[0].estimate.value == -both[1].estimate.value


def test_values_with_blanks_can_be_named():
    rule = parse_rule('switching:race.shares.East Asian for "a photo of a nurse" >= 0.1 within 0.05')
    assert (rule.metric, rule.prompt) == ("switching:race.shares.East Asian", "a photo of a nurse")
    rule = parse_rule("a vs b age.shares.more than 70 <= 0.1")
    assert (rule.sampler, rule.against, rule.metric) == ("a", "b", "age.shares.more than 70")
    results = sample_report(attributes=("race",)).results
    (found,) = judge(results, [parse_rule("baseline:race.shares.East Asian >= 0")])
    assert found.estimate == results.samplers["baseline"].attributes["race"].shares["East Asian"]


@pytest.mark.parametrize(
    "text",
    [
        "nobody:gender.fd <= 0.1",
        "baseline:gender.fdd <= 0.1",
        "baseline:hair.fd <= 0.1",
        'baseline:gender.fd for "no such prompt" <= 0.1',
        "baseline vs nobody gender.fd <= 0",
        "gender.fd <= 0.1",
    ],
)
def test_what_a_run_does_not_have_is_named(text):
    with pytest.raises(UsageError):
        judge(sample_report().results, [parse_rule(text)])


def test_without_rules_the_run_s_own_verdicts_decide():
    results = sample_report().results
    outcomes = {"fair": "passed", "unfair": "failed", "not enough evidence": "not enough evidence"}
    expected = [outcomes[a.verdict] for s in results.samplers.values() for a in s.attributes.values()]
    judgements = judge(results, [])
    assert [one.outcome for one in judgements] == expected
    assert together(judgements) == (
        "failed" if "failed" in expected
        else "not enough evidence" if "not enough evidence" in expected
        else "passed"
    )  # fmt: skip


def test_exit_codes_and_formats(
    fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = sample_report().results
    (tmp_path / "results.json").write_text(results.to_json())
    sampler = next(iter(results.samplers))
    fd = results.samplers[sampler].attributes["gender"].fd
    passing = f"{sampler}:gender.fd <= 2"
    failing = f"{sampler}:gender.fd >= 2"
    undecided = f"{sampler}:gender.fd <= {(fd.value + fd.high) / 2}"
    assert fairaudit("gate", tmp_path, passing) == 0
    assert fairaudit("gate", tmp_path, passing, undecided) == 4
    assert "images would tell" in capsys.readouterr().out
    junit = tmp_path / "gate.xml"
    assert fairaudit("gate", tmp_path, passing, undecided, failing, "--json", "--junit", junit) == 3
    said = json.loads(capsys.readouterr().out)
    assert said["outcome"] == "failed"
    assert [rule["outcome"] for rule in said["rules"]] == ["passed", "not enough evidence", "failed"]
    [suite] = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [case.get("name") for case in suite] == [passing, undecided, failing]
    assert fairaudit("gate", tmp_path / "nowhere") == 2
    assert fairaudit("gate", tmp_path, "nonsense") == 2
    assert capsys.readouterr().err.count("\n") == 2
