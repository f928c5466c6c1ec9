"""The method appendix: the formulas of the report's numbers, all of them and no others."""

from __future__ import annotations

import re

from fairaudit.reports.formulas import formulas
from fairaudit.reports.pdf import TEMPLATES

from fairaudit.reporting import ReportInput
from fairaudit.results import Estimate
from tests.reports.sample import sample_report


def chosen(report: ReportInput) -> tuple[str, ...]:
    return formulas(report.plan, report.results)


def typeset() -> set[str]:
    return set(re.findall(r'^  "([a-z-]+)": entry', (TEMPLATES / "formulas.typ").read_text(), flags=re.M))


def test_every_formula_is_typeset():
    rich = sample_report(attributes=("gender", "race"), rich=True)
    assert set(chosen(rich)) <= typeset()
    named = set(re.findall(r'"([a-z-]+)"', (TEMPLATES.parent / "formulas.py").read_text()))
    assert typeset() <= named


def test_only_what_was_measured_has_a_formula():
    plain, rich = (set(chosen(sample_report(rich=rich))) for rich in (False, True))
    assert plain < rich
    assert {"fd", "fd-prompts", "corrected", "holm", "switching", "guidance", "frechet", "kernel"} <= plain
    assert not plain & {"em", "soft", "sequential", "obfuscation", "mcnemar", "equivalence", "intersection"}
    assert {"em", "soft", "sequential", "obfuscation", "mcnemar", "equivalence", "intersection"} <= rich


def test_cosines_of_an_extractor_have_their_formula():
    report = sample_report()
    sampler = next(iter(report.results.samplers.values()))
    for other in report.results.samplers.values():
        other.utility.pop("feature_cosine", None)
    assert "cosine" not in chosen(report)
    sampler.utility["dino:eye"] = Estimate(value=0.5, low=0.4, high=0.6, method="")
    assert "cosine" in chosen(report)


def test_a_folder_without_calibration_has_no_sampler_and_no_correction():
    found = chosen(sample_report(samplers=("images",), prompts=0, calibrated=False))
    assert not set(found) & {"classifier-free", "switching", "corrected", "fd-prompts", "paired", "frechet"}
    assert {"raw", "fd", "null-band"} <= set(found)
