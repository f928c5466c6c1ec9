"""The PDF: real, reproducible, and deaf to Typst markup in texts."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
from fairaudit.reports import pdf

from tests.reports.sample import HOSTILE, REASON, sample_report


def text_of(document: bytes) -> str:
    """What a reader can copy from the PDF, without spaces: lines break anywhere."""
    if not (tool := shutil.which("pdftotext")):
        pytest.skip("pdftotext is not installed")
    done = subprocess.run([tool, "-raw", "-", "-"], input=document, capture_output=True, check=True)
    return squeeze(done.stdout.decode())


def squeeze(text: str) -> str:
    return "".join(text.split()).replace("\u200b", "")


def test_hostile_prompts_appear_verbatim():
    document = pdf.render(sample_report(hostile=True, skipped=3, samplers=("baseline", "#panic(*a*)[")))
    assert document.startswith(b"%PDF")
    text = text_of(document)
    for prompt in HOSTILE:
        # Right-to-left text is stored in the order that it is drawn in.
        if prompt.startswith("ש"):
            assert "שלום" in text or "םולש" in text
        else:
            assert squeeze(prompt) in text
    assert "#panic(*a*)[" in text


@pytest.mark.parametrize(
    "options",
    [
        {"samplers": ("images",), "prompts": 0},
        {"missing": True},
        {"attributes": ("race", "age"), "calibrated": False, "samplers": ("baseline",)},
        {"samplers": ("baseline", "b", "c", "d", "e", "f"), "prompts": 3, "attributes": ("age",)},
        {"values": ("日本語", "other"), "prompts": 1},
    ],
    ids=["folder", "missing", "uncalibrated", "six", "foreign"],
)
def test_every_kind_of_audit_typesets(options):
    assert pdf.render(sample_report(**options)).startswith(b"%PDF")


def test_missing_numbers_say_why():
    assert squeeze(REASON) in text_of(pdf.render(sample_report(missing=True)))


def test_what_stands_in_backticks_is_code():
    report = sample_report(missing=True)
    asked = "get it with `fairaudit fetch #x`, not `"
    text = report.results.model_dump_json(by_alias=True).replace(REASON, asked)
    report = replace(report, results=type(report.results).model_validate_json(text))
    assert squeeze("get it with fairaudit fetch #x, not `") in text_of(pdf.render(report))


def test_equal_reports_give_equal_bytes():
    assert pdf.render(sample_report()) == pdf.render(sample_report())


def test_the_numbers_are_those_of_the_results():
    report = sample_report(attributes=("gender", "race"))
    text = text_of(pdf.render(report))
    for sampler in report.results.samplers.values():
        for result in sampler.attributes.values():
            fd = result.fd_prompts
            assert squeeze(f"(FD) within prompts {fd.value:.3f} ({fd.low:.3f} to {fd.high:.3f})") in text
            for share in result.shares.values():
                assert squeeze(f"{100 * share.low:.1f} to {100 * share.high:.1f} %") in text
