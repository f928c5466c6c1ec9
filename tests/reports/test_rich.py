"""What results may hold beside the verdict: all of it is shown, and nothing where it is absent."""

from __future__ import annotations

import html as entities
import re

import pytest
from fairaudit.reports import html, markdown, pdf
from fairaudit.reports.amplification import amplified, leaning
from fairaudit.reports.story import tell

from fairaudit.results import AttributeResult, Estimate, Results, Share, Stopping
from tests.reports.claims import of_results
from tests.reports.sample import HOSTILE, REASON, sample_report
from tests.reports.test_html import FOLDER, Page, page
from tests.reports.test_markdown import ROW
from tests.reports.test_pdf import squeeze, text_of

SMALL = {"samplers": ("baseline", "switching"), "prompts": 3, "grid_rows": 1, "rich": True}
TITLES = {
    "simultaneous": "all at once",
    "other_estimators": "The same images by other estimators",
    "indices": "Other measures",
    "equivalence": "of the target: p",
    "across_prompts": "Beyond these prompts",
    "bias_amplification": "bias amplification",
    "thresholds": "Only the sure labels",
    "transfer": "was compared with that at its calibration",
    "p_bh": "Benjamini",
    "amplification": "Measured minus planted",
    "intersections": "Attributes together",
    "obfuscation": "Does a picture tell which value was assigned?",
    "changes": "Labels that change",
    "stopping": "The audit stopped",
}

METHOD = ("transfer", "p_bh")
"""What is explained in the method, which a comment on a pull request leaves to the full report."""


def html_text(report) -> str:
    return squeeze(Page(html.render(report).decode()).text)


def markdown_text(report) -> str:
    text = markdown.render(report).decode()
    return squeeze(entities.unescape(re.sub(r"\\(?=[^\sA-Za-z0-9])|</?sup>", "", text)))


def pdf_text(report) -> str:
    return text_of(pdf.render(report))


@pytest.mark.parametrize("read", [html_text, markdown_text, pdf_text])
def test_every_number_is_shown(read):
    report = sample_report(**SMALL)
    text = read(report)
    left_out = METHOD if read is markdown_text else ()
    titles = [title for field, title in TITLES.items() if field not in left_out]
    claims = of_results(report.results, transfer=read is not markdown_text)
    assert not [claim for claim in claims if squeeze(claim) not in text]
    assert not [title for title in titles if squeeze(title) not in text]


def without(results: Results, field: str) -> Results:
    """The same results as if that field had never been measured."""
    content = results.model_dump()

    def strip(record):
        if isinstance(record, dict):
            return {key: strip(value) for key, value in record.items() if key != field}
        return [strip(item) for item in record] if isinstance(record, list) else record

    return Results.model_validate(strip(content))


@pytest.mark.parametrize("field", TITLES)
def test_nothing_is_said_of_what_was_not_measured(field):
    report = sample_report(**SMALL)
    object.__setattr__(report, "results", without(report.results, field))
    for read in (html_text, markdown_text):
        text = read(report)
        assert squeeze(TITLES[field]) not in text
        shown = {other for other, title in TITLES.items() if squeeze(title) in text}
        missing = {field, *(METHOD if read is markdown_text else ())}
        assert shown == set(TITLES) - missing


@pytest.mark.parametrize(
    "options",
    [
        {"missing": True},
        FOLDER,
        {"calibrated": False, "prompts": 1},
        {"attributes": ("race", "age"), "samplers": ("baseline",)},
        {"samplers": ("baseline", "b", "c", "d"), "prompts": 2, "attributes": ("age",)},
    ],
    ids=["missing", "folder", "uncalibrated", "one sampler", "four"],
)
def test_every_kind_of_audit_can_be_rich(options):
    report = sample_report(**({"grid_rows": 1} | options), rich=True)
    parsed = Page(html.render(report).decode())
    assert not parsed.stack
    assert len(set(parsed.ids)) == len(parsed.ids)
    words = parsed.text.split()
    assert "None" not in words
    assert "nan" not in words
    assert pdf.render(report).startswith(b"%PDF")
    assert markdown.render(report)


def test_hostile_names_are_text_only():
    values = ('<img src=x onerror="1">', "#panic(1) $x$ | `b` *c*")
    names = ("baseline", "<b onclick=x>&\"' | #x")
    report = sample_report(hostile=True, values=values, samplers=names, prompts=9, rich=True)
    stop = Stopping(
        rule=HOSTILE[0], looks=1, images=8, planned=8, decided=False, intervals={HOSTILE[2]: estimate()}
    )
    object.__setattr__(report, "results", report.results.model_copy(update={"stopping": stop}))
    parsed = Page(html.render(report).decode())
    assert parsed.count("script") == 1
    assert parsed.count("b") == 0
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    assert parsed.text.count(HOSTILE[0]) > 3
    for text in (squeeze(parsed.text), markdown_text(report), pdf_text(report)):
        for hostile in (*values, names[1], HOSTILE[0], HOSTILE[2]):
            assert squeeze(hostile).replace("\\", "") in text.replace("\\", "")
    width = 0
    for line in markdown.render(report).decode().splitlines():
        cells = len(ROW.findall(line)) if line.startswith("| ") else 0
        assert not width or not cells or cells == width
        width = cells


def estimate(value: float | None = 0.5, low: float | None = 0.4, high: float | None = 0.6) -> Estimate:
    return Estimate(value=value, low=low, high=high, method="m", reason=None if value else REASON)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (estimate(0.05, 0.01, 0.09), "is exaggerated: bias amplification +5.0 pp (+1.0 to +9.0 pp)"),
        (estimate(-0.05, -0.09, -0.01), "is softened: bias amplification −5.0 pp (−9.0 to −1.0 pp)"),
        (estimate(0.05, -0.01, 0.09), "is not decided"),
        (estimate(0.05, 0.0, 0.09), "is not decided"),
        (estimate(0.05, None, None), "is not decided"),
        (estimate(None, None, None), f"n/a: {REASON}"),
    ],
)
def test_amplification_is_claimed_only_as_far_as_the_interval_goes(found, says):
    assert says in amplified(found).replace("\u00a0", " ")
    assert (leaning(found) == "undecided") == ("is exaggerated" not in says and "is softened" not in says)


def test_figures_tell_their_numbers_to_those_who_do_not_see_them():
    report = sample_report(**SMALL)
    panels = [figure for topic in tell(report).findings[0].topics for figure in topic.figures]
    assert len(panels) == 2
    for panel, sampler in zip(panels, report.results.samplers.values(), strict=True):
        for prompt, answer in sampler.prompts.items():
            share = answer.attributes["gender"].shares["female"]
            assert prompt in panel.alt
            assert f"measured {100 * share.value:.1f}\u00a0%" in panel.alt
    labels = [a["aria-label"] for tag, a in page(**SMALL).elements if tag == "svg"]
    assert sum("Measured against planted" in label for label in labels) == 2


def test_a_crowd_of_cells_is_folded_on_screen_and_counted_on_paper():
    options = {**SMALL, "samplers": ("baseline",), "attributes": ("gender", "race", "age"), "prompts": 0}
    report = sample_report(**options)
    (item,) = report.results.samplers["baseline"].intersections.values()
    order = sorted(item.cells, key=lambda cell: item.cells[cell].value)
    assert len(order) == 126
    parsed = page(**options)
    heads = "".join(parsed.texts)
    assert all(cell in heads for cell in order)
    assert parsed.count("details") == parsed.count("summary") >= 1
    for text in (markdown_text(report), pdf_text(report)):
        assert squeeze("The other 116 cells of perceived gender, race and age are in results.json") in text
        assert all(squeeze(cell) in text for cell in order[:10])
        assert not any(squeeze(cell) in text for cell in order[10:] if cell.startswith("female"))


def test_flips_are_shaded_by_their_part_of_the_row():
    report = sample_report(**SMALL)
    flips = next(c.changes.flips for c in report.results.comparisons if c.changes)
    shades = re.findall(r"--heat: (\d+)%", html.render(report).decode())
    expected = [round(100 * n / sum(row.values())) for row in flips.values() for n in row.values()]
    assert [int(shade) for shade in shades] == expected


@pytest.mark.parametrize("warning", [True, False])
def test_a_doubtful_calibration_is_said_beside_the_shares(warning):
    report = sample_report(**SMALL)
    for sampler in report.results.samplers.values():
        sampler.attributes["gender"].transfer.warning = warning
    story = tell(report)
    assert any("less sure" in flag for flag in story.sections[0].flags) is warning
    assert any("gives no warning" in sentence for sentence in story.method) is not warning


def with_estimator(name: str) -> AttributeResult:
    report = sample_report(**SMALL)
    for sampler in report.results.samplers.values():
        for result in sampler.attributes.values():
            result.estimator = name
    return report


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("raw", "raw shares are not corrected for them"),
        ("soft", "soft shares are not corrected for them"),
        ("corrected", "shares are corrected for them with that confusion matrix"),
        ("em", "EM shares weigh the probabilities"),
    ],
)
def test_words_fit_the_estimator(name, says):
    text = Page(html.render(with_estimator(name)).decode()).text
    method = text[text.index("Method Labels come from") :] if "Method Labels" in text else text
    assert says in method
    assert ("corrected for them with that" in method) is (name == "corrected")
    assert ("from hard labels" in method) is (name in {"raw", "corrected"})
    assert ("not corrected for its measured errors" in text) is (name in {"raw", "soft"})
    assert ("raw share" in str(tell(with_estimator(name)).sections[0].key.alt)) is (name != "raw")


def test_a_stop_without_a_decision_says_so():
    report = sample_report(**SMALL)
    report.results.stopping.decided = False
    text = Page(html.render(report).decode()).text
    assert "did not meet its rule for stopping (--until half-width=0.05) in 4 looks" in text
    assert "That saved" not in text


@pytest.mark.parametrize(
    ("verdict", "says"),
    [
        ("fair", "show every prompt within the tolerance of 0.100"),
        ("unfair", "exclude the target for at least one prompt"),
        ("not enough evidence", "show neither fairness within the tolerance of 0.100 nor unfairness"),
    ],
)
def test_the_verdict_of_a_sequential_audit_is_told_by_its_sequences(verdict, says):
    report = sample_report(**SMALL)
    for sampler in report.results.samplers.values():
        sampler.attributes["gender"].verdict = verdict
    for card in tell(report).cards:
        assert any(says in sentence for sentence in card.sentences)
        assert not any("whole interval" in sentence for sentence in card.sentences)


def test_simultaneous_intervals_have_a_column_where_there_is_one_sampler():
    report = sample_report(**{**SMALL, "samplers": ("baseline",)})
    table = tell(report).sections[0].shares
    assert table.columns[-1].label == "All values at once"
    share: Share = report.results.samplers["baseline"].attributes["gender"].shares["female"]
    low, high = share.simultaneous
    assert table.rows[0][-1].text == f"{100 * low:.1f} to {100 * high:.1f}\u00a0%"


def test_a_comment_holds_the_markdown_of_a_large_audit():
    samplers = ("baseline", "guidance", "switching", "d", "e", "f")
    report = sample_report(
        attributes=("gender", "race"), samplers=samplers, prompts=20, grid_rows=1, rich=True
    )
    text = markdown.render(report).decode()
    assert len(text) <= 65_536
    assert "rows in the full report" in text
