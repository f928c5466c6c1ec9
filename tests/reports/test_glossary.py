"""The glossary and the caveats: of what a report uses, all of it and nothing else."""

from __future__ import annotations

import re

import pytest
from fairaudit.reports import html
from fairaudit.reports.glossary import glossary
from fairaudit.reports.measured_terms import MEASURES
from fairaudit.reports.story import tell

from fairaudit.metrics.titles import METRICS
from fairaudit.named_numbers import named_numbers
from tests.reports.everything import everything
from tests.reports.rich import INDICES
from tests.reports.sample import sample_report
from tests.reports.test_html import FOLDER, Page, flat


def terms(**options) -> set[str]:
    return {term.name for term in tell(sample_report(**options)).glossary}


def test_terms_are_those_that_the_report_uses():
    always = {"perceived attribute", "share", "target", "interval", "verdict", "outcome"}
    compared = terms(rich=True)
    assert always | {"same noise", "corrected share", "raw share", "FD within prompts"} <= compared
    assert {"bias amplification", "planted share", "gender labels", "calibration"} <= compared
    folder = terms(**FOLDER, attributes=("race",), calibrated=False)
    assert always | {"raw share", "race categories"} <= folder
    absent = {"same noise", "sampler", "baseline", "corrected share", "FD within prompts", "gender labels"}
    assert not folder & (absent | {"planted share", "calibration"})


def test_every_number_that_can_be_shown_is_in_the_glossary():
    names = set(METRICS) - {"fd", "fd_prompts"}
    assert names | set(INDICES) <= set(MEASURES)
    report = sample_report(rich=True)
    results = everything()
    found = {term.name for term in glossary(report.plan, results)}
    assert {term.name for term in MEASURES.values()} <= found
    # A metric by any of its names in the results, and by those that rules give it.
    for key in named_numbers(results, "switching"):
        short = key.partition(":")[0].rpartition(".")[2].removeprefix("downstream_")
        assert short.partition("_where")[0] in MEASURES or ".gap." in key or short in {"fd", "fd_prompts"}, (
            key
        )
    plain = {term.name for term in glossary(report.plan, sample_report(**FOLDER).results)}
    assert not plain & {"kappa", "Vendi score", "demographic parity difference", "CMMD", "front"}


def test_meanings_are_whole_sentences_and_no_two_terms_share_a_name():
    names = [term.name for term in MEASURES.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Z].*\.", term.meaning) for term in MEASURES.values())


def test_values_of_ones_own_are_not_called_those_of_a_data_set():
    assert "gender labels" not in terms(values=("a", "b"))
    said = " ".join(tell(sample_report(values=("a", "b"))).caveats)
    assert "binary" not in said


@pytest.mark.parametrize("options", [{"rich": True}, FOLDER, {"missing": True}])
def test_terms_are_in_order_told_once_and_in_whole_sentences(options):
    found = tell(sample_report(**options)).glossary
    names = [term.name.lower() for term in found]
    assert names == sorted(set(names))
    assert all(re.fullmatch(r"[A-Z].*\.", term.meaning) for term in found)


def test_caveats_say_what_was_assumed():
    corrected = " ".join(tell(sample_report(attributes=("gender", "race", "age"))).caveats)
    for words in ("never who a person is", "binary", "7 categories", "how old a face looks", "assume"):
        assert words in corrected
    assert "and in which the classifier's errors were counted" in corrected
    raw = " ".join(tell(sample_report(calibrated=False, **FOLDER)).caveats)
    assert "Corrected shares" not in raw
    assert "errors were counted" not in raw
    assert "if somebody chose them" in raw


def test_the_page_shows_all_of_both():
    report = sample_report(rich=True)
    text = Page(html.render(report).decode()).text
    story = tell(report)
    assert all(flat(caveat) in text for caveat in story.caveats)
    assert all(term.name in text and flat(term.meaning) in text for term in story.glossary)
