"""The table at the end of a run: only what matters, and it fits a terminal."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from fairaudit.choosing import sentences
from fairaudit.summary import print_summary
from tests.reports.sample import sample_report


def lines(monkeypatch, capsys, **options) -> list[str]:
    monkeypatch.setenv("COLUMNS", "80")
    print_summary(SimpleNamespace(results=sample_report(**options).results, reports={}))
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


def row(printed: list[str], heading: str) -> str:
    return next(line for line in printed if line.startswith(heading))


def test_rich_results_fit_80_columns(monkeypatch, capsys):
    printed = lines(monkeypatch, capsys, rich=True)
    results = sample_report(rich=True).results
    assert max(map(len, printed)) <= 80
    for name, sampler in results.samplers.items():
        found = sampler.attributes["gender"]
        assert f"{found.bias_amplification.value:.2f}" in row(printed, "amplification")
        assert f"{found.equivalence.p_value:.3f}" in row(printed, "pooled p within 0.1")
        if name != "baseline":
            assert f"{sampler.obfuscation['gender'].error.value:.2f}" in row(printed, "best probe error")
    assert "stopped after 384 of 1,536 images: decided (half-width=0.05)" in printed


def test_many_samplers_with_long_names_fit_80_columns(monkeypatch, capsys):
    results = sample_report(rich=True).results
    last = next(reversed(results.samplers.values()))
    for number in range(4):
        results.samplers[f"another-sampler-with-a-long-name-{number}"] = last
    monkeypatch.setenv("COLUMNS", "80")
    print_summary(SimpleNamespace(results=results, reports={}))
    printed = capsys.readouterr().out.splitlines()
    assert max(map(len, printed)) <= 80
    assert "…" not in "".join(printed)
    verdicts = [line for line in printed if line.strip().startswith("verdict")]
    assert len(verdicts) == -(-len(results.samplers) // 3) * len(last.attributes)


def test_nothing_is_said_of_what_was_not_measured(monkeypatch, capsys):
    printed = lines(monkeypatch, capsys)
    for heading in ("amplification", "pooled p within", "best probe", "stopped"):
        assert not any(line.startswith(heading) for line in printed)


@pytest.mark.parametrize("estimator", ["raw", "soft", "corrected", "em"])
def test_the_estimator_is_named_beside_its_interval(monkeypatch, capsys, estimator):
    results = sample_report().results
    for sampler in results.samplers.values():
        sampler.attributes["gender"].estimator = estimator
        sampler.quality = {}
    monkeypatch.setenv("COLUMNS", "80")
    print_summary(SimpleNamespace(results=results, reports={}))
    printed = capsys.readouterr().out
    share = next(iter(results.samplers.values())).attributes["gender"].shares["female"]
    assert f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]" in printed.split(f", {estimator}")[1]
    assert "Frechet" not in printed


@pytest.mark.parametrize("rich", [False, True])
def test_three_samplers_take_less_than_a_screen_and_end_with_the_choice(monkeypatch, capsys, rich):
    monkeypatch.setenv("COLUMNS", "80")
    reports = {name: Path("runs/compare") / f"report.{name}" for name in ("csv", "html", "pdf")}
    results = sample_report(rich=rich).results
    print_summary(SimpleNamespace(results=results, reports=reports))
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) <= 24
    said = " ".join(line.strip() for line in printed)
    assert " ".join(sentences(results, results.choices[0])) in said
    assert printed[-1] == "runs/compare/report.html (also .csv, .pdf)"
