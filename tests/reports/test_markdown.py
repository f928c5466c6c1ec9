"""The summary for a pull request: tables that survive, text that stays text."""

from __future__ import annotations

import re

import pytest
from fairaudit.reports import markdown

from tests.reports.sample import REASON, sample_report

ROW = re.compile(r"(?<!\\)\|")


def lines(**options) -> list[str]:
    return markdown.render(sample_report(**options)).decode().splitlines()


@pytest.mark.parametrize(
    "options", [{}, {"hostile": True, "samplers": ("a|b", "`c`", "<d>")}], ids=["plain", "hostile"]
)
def test_every_row_has_as_many_cells_as_its_head(options):
    width = 0
    for line in lines(**options):
        if not line.startswith("| "):
            width = 0
            continue
        cells = len(ROW.findall(line))
        assert cells == (width or cells)
        width = cells


def test_user_text_makes_no_markup():
    text = "\n".join(lines(hostile=True, prompts=8))
    outside = re.sub(r"```.*?```", "", text.partition("\n---\n")[2], flags=re.S)
    assert not re.search(r"<(?!sup>|/sup>)", outside)
    assert "&lt;script&gt;" in outside
    assert "\\*bold\\*" in outside
    assert "@ref" not in outside


def test_numbers_are_those_of_the_results():
    report = sample_report()
    text = markdown.render(report).decode()
    for sampler in report.results.samplers.values():
        fd = sampler.attributes["gender"].fd
        assert f"{fd.value:.3f} ({fd.low:.3f} to {fd.high:.3f}" in text
    assert report.results.digest in text


def test_missing_numbers_say_why():
    text = "\n".join(lines(missing=True))
    assert f"n/a: {markdown.escape(REASON)}" in text


def test_a_command_cannot_close_its_own_block():
    assert markdown.fence("a ``` b").startswith("````\n")


def test_equal_reports_give_equal_bytes():
    assert markdown.render(sample_report()) == markdown.render(sample_report())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("1. x", "1\\. x"),
        ("0.27", "0.27"),
        ("- x", "\\- x"),
        ("a\nb", "a b"),
        ("@all", "@\u200ball"),
        ("https://x.org", "https://\u200bx.org"),
    ],
)
def test_escape(text, shown):
    assert markdown.escape(text) == shown
