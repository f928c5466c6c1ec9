"""Large audits on paper: in brief, with nothing lost from the other files."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from fairaudit.reports import spreadsheet
from fairaudit.reports.model import Fold, Topic
from fairaudit.reports.paper import LONG, MATRICES, on_paper
from fairaudit.reports.pdf import typeset
from fairaudit.reports.story import tell

from tests.reports.sample import sample_report
from tests.reports.test_pdf import squeeze, text_of

SAMPLERS = ("baseline", "guidance", "switching", "mixing", "decodi", "fairqueue")


@pytest.fixture(scope="module")
def large():
    """Six samplers and eleven prompts."""
    return sample_report(attributes=("gender", "race"), samplers=SAMPLERS, prompts=11, rich=True, grid_rows=0)


@pytest.fixture(scope="module")
def story(large):
    return tell(large)


def test_what_is_short_stays_as_it_is():
    story = tell(sample_report(rich=True))
    assert on_paper(story) == story


def test_prompts_have_a_row_each_and_every_discrepancy_and_verdict(story):
    for whole, section in zip(story.sections, on_paper(story).sections, strict=True):
        assert len(whole.prompts.rows) == 66 > LONG
        assert [column.label for column in section.prompts.columns] == ["Prompt", *SAMPLERS]
        cells = {
            (row[0].text, name): cell
            for row in section.prompts.rows
            for name, cell in zip(SAMPLERS, row[1:], strict=True)
        }
        assert len(cells) == len(whole.prompts.rows)
        for row in whole.prompts.rows:
            cell = cells[row[0].text, row[1].text]
            assert cell.text == row[3].text
            assert cell.details[0] == {"not enough evidence": "open"}.get(row[2].text, row[2].text)
        for row in section.prompts_summary.rows:
            assert sum(int(cell.text) for cell in row[1:4]) == 11
            own = sorted(found[3].sort for found in whole.prompts.rows if found[1].text == row[0].text)
            assert float(row[4].text) == pytest.approx(own[5], abs=5e-4)
            assert (float(row[5].details[0]), float(row[6].details[0])) == pytest.approx(
                (own[0], own[-1]), abs=5e-4
            )


def test_what_paper_leaves_out_is_in_the_table_of_all_numbers(large, story):
    note = on_paper(story).prompts_note
    assert "report.csv" in note
    numbers = {row["value"] for row in csv.DictReader(io.StringIO(spreadsheet.render(large).decode()))}
    for sampler in large.results.samplers.values():
        for prompt in sampler.prompts.values():
            for found in prompt.attributes.values():
                for estimate in (found.fd, *found.shares.values(), *(found.amplification or {}).values()):
                    assert str(estimate.value) in numbers


def test_prompts_that_begin_alike_keep_rows_of_their_own():
    report = sample_report(samplers=SAMPLERS, prompts=11)
    same = "x" * 300
    for sampler in report.results.samplers.values():
        renamed = {f"{same} {text}": found for text, found in sampler.prompts.items()}
        sampler.prompts.clear()
        sampler.prompts.update(renamed)
    (section,) = on_paper(tell(report)).sections
    assert len(section.prompts.rows) == 11


def test_of_many_tables_of_changes_those_from_the_first_sampler_stay(story):
    assert len(story.changes.folds) == 30 > MATRICES
    kept = on_paper(story).changes
    assert len(kept.folds) == 10
    assert all(" from baseline to " in fold.title for fold in kept.folds)
    assert "20 more tables" in kept.sentences[-1]


def test_long_folds_without_a_short_form_say_where_they_are(story):
    long = story.sections[0].prompts
    chapter = replace(story.findings[0], topics=(Topic("", (), folds=(Fold("Images", (long,)),)),))
    (topic,) = on_paper(replace(story, findings=(chapter,))).findings[0].topics
    assert topic.folds[0].brief == "Images: 66 rows, in report.html, report.csv and results.json."


def test_the_pdf_says_where_the_rest_is():
    report = sample_report(samplers=SAMPLERS, prompts=11, grid_rows=0)
    story = on_paper(tell(report))
    said = text_of(typeset(story))
    assert squeeze(story.prompts_note) in said
    assert squeeze(story.sections[0].prompts_summary.caption) in said
