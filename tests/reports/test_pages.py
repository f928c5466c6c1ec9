"""The PDF as a reader of paper sees it: what is on which page, and nothing beyond its edge."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fairaudit.reports import pdf
from fairaudit.reports.model import Figure, Fold, Story, Table
from fairaudit.reports.story import tell
from PIL import Image

from fairaudit.reporting import ReportInput
from tests.reports.pages import Page, pages_of, tool
from tests.reports.sample import sample_report

RICH = {"attributes": ("gender", "race"), "rich": True}
CROWD = ("baseline", *"bcdefghij")
SHAPES = {
    "rich": RICH,
    "crowd": {"attributes": ("gender", "age"), "samplers": CROWD, "prompts": 2, "grid_rows": 2},
    "hostile": {"hostile": True, "skipped": 3, "samplers": ("baseline", "#panic(*a*)[" + "x" * 60)},
    "folder": {"samplers": ("images",), "prompts": 0},
}


@dataclasses.dataclass(frozen=True)
class Made:
    """A PDF, the file it lies in, and its pages."""

    report: ReportInput
    story: Story
    document: bytes
    file: Path
    pages: list[Page]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Made]:
    found = {}
    for name, options in SHAPES.items():
        folder = tmp_path_factory.mktemp(name)
        report = sample_report(**options)
        story = tell(report)
        document = pdf.typeset(story)
        found[name] = Made(report, story, document, folder / "report.pdf", pages_of(document, folder))
    return found


@pytest.fixture(params=list(SHAPES))
def each(request, made) -> Made:
    return made[request.param]


def squeeze(text: str) -> str:
    return "".join(text.split()).replace("\u200b", "")


def parts(value) -> Iterator[object]:
    """Everything in a story."""
    yield value
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from parts(getattr(value, field.name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from parts(item)


def test_the_verdicts_are_on_the_cover(each):
    cover = each.pages[0].text.lower()
    for name, sampler in each.report.results.samplers.items():
        assert name == "images" or name in each.pages[0].text
        for result in sampler.attributes.values():
            assert squeeze(result.verdict) in cover


def test_the_summary_is_one_page(each):
    assert "Executivesummary" in each.pages[1].text
    assert squeeze(each.story.leads[0])[:40] in each.pages[1].text
    assert "Whatisnotknown" in each.pages[1].text
    assert "Contents" in each.pages[2].text
    assert "Whatisnotknown" not in each.pages[2].text


def test_nothing_leaves_the_page_or_its_margins(each):
    assert [word for page in each.pages for word in page.outside(margin=54)] == []


def test_the_edges_of_the_paper_are_white(each):
    tool("pdftoppm", "-r", "40", "-gray", str(each.file), str(each.file.with_suffix("")))
    pictures = sorted(each.file.parent.glob("*.pgm"))
    assert len(pictures) == len(each.pages)
    for picture in pictures:
        with Image.open(picture) as opened:
            assert sorted(opened.size) == [331, 468]
            ink = np.asarray(opened) < 250
        edge = 16  # a centimetre
        ink[edge:-edge, edge:-edge] = False
        assert not ink.any(), picture.name


@pytest.mark.parametrize(("name", "most"), [("rich", 30), ("folder", 8), ("hostile", 14)])
def test_it_is_no_longer_than_it_must_be(made, name, most):
    assert 6 <= len(made[name].pages) <= most


def test_the_contents_name_the_right_pages(each):
    listed = tool("pdftotext", "-f", "3", "-l", "3", "-layout", str(each.file), "-")
    entries = re.findall(r"^ *(\S.*?)(?: \.){4,}\D*(\d+)$", listed, flags=re.M)
    assert {"Executive summary", "Method", "The formulas", "Limitations", "Reproduction"} <= {
        title for title, _ in entries
    }
    for title, number in entries:
        assert squeeze(title) in each.pages[int(number) - 1].text


def test_every_figure_is_a_drawing_with_a_text(made):
    story = made["rich"].story
    drawings = sum(isinstance(part, Figure) for part in parts(story))
    document = made["rich"].document
    listed = tool("pdfimages", "-list", str(made["rich"].file))
    pictures = len(re.findall(r"^ *\d+ +\d+ image", listed, flags=re.M))
    figures = re.findall(rb"/S/Figure\b.*?>>\n?endobj", document, flags=re.S)
    assert len(figures) == drawings + pictures
    assert all(b"/Alt" in figure for figure in figures)
    assert 0 < pictures <= 18


def test_every_table_is_there_with_all_its_columns(made):
    text = "".join(page.text for page in made["rich"].pages)
    story = made["rich"].story
    folded = [
        table for part in parts(story) if isinstance(part, Fold) and part.brief for table in part.tables
    ]
    tables = [part for part in parts(story) if isinstance(part, Table) and part not in folded]
    assert len(tables) > 20
    for table in tables:
        assert squeeze(table.caption) in text, table.key
        for column in table.columns:
            assert all(squeeze(word) in text for word in column.label.split()), (table.key, column.label)


def test_it_is_made_for_everyone(each):
    said = tool("pdfinfo", str(each.file))
    assert re.search(r"Tagged:\s+yes", said)
    assert re.search(r"Title:\s+Fairness audit of", said)
    assert "CreationDate" not in said
    assert b"<pdfuaid:part>1<" in each.document
    assert b"/Lang(en)" in each.document


def test_a_character_without_a_shape_does_not_stop_it():
    report = sample_report(samplers=("images",), prompts=0)
    skipped = {"\ue000\U0010fffd.png": "no picture"}
    results = report.results.model_copy(update={"skipped": skipped})
    assert pdf.render(dataclasses.replace(report, results=results)).startswith(b"%PDF")
