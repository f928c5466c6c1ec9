"""The page: self-contained, deaf to hostile text, and true to the results."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from fairaudit.reports import html

from tests.reports.sample import HOSTILE, REASON, png, sample_report

VOID = {"meta", "link", "img", "br", "input"}
FOLDER = {"samplers": ("images",), "prompts": 0}
BIG = {
    "attributes": ("gender", "race", "age"),
    "samplers": ("baseline", "guidance", "switching", "d", "e", "f"),
    "prompts": 50,
    "grid_rows": 12,
    "rich": True,
}


class Page(HTMLParser):
    """Elements with their attributes, the text of each, and whether tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.stack: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack and self.stack[-1] not in {"script", "style"}:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return flat("".join(self.texts))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def flat(text: str) -> str:
    return " ".join(text.split())


def page(**options) -> Page:
    return Page(html.render(sample_report(**options)).decode())


@pytest.mark.parametrize(
    "options",
    [{}, {"hostile": True, "skipped": 30}, FOLDER, {"missing": True}, {"calibrated": False}, BIG],
    ids=["plain", "hostile", "folder", "missing", "uncalibrated", "big"],
)
def test_is_one_well_formed_file_that_loads_nothing(options):
    text = html.render(sample_report(**options)).decode()
    parsed = Page(text)
    assert not parsed.stack
    assert len(text.encode()) < 3_000_000
    assert len(set(parsed.ids)) == len(parsed.ids)
    for _, attributes in parsed.elements:
        assert not re.match(r"\s*(https?:)?//", attributes.get("src") or attributes.get("href") or "")
        for name in ("src", "href", "xlink:href"):
            assert re.match(r"data:|#|$", attributes.get(name) or "")
    styles = re.findall(r"<style.*?</style>", text, re.S)
    assert not any(re.search(r"@import|url\((?!#)", style) for style in styles)
    anchors = {a["href"][1:] for name, a in parsed.elements if name == "a"}
    assert anchors <= set(parsed.ids)


def test_hostile_text_is_text_only():
    calm = page(prompts=10, samplers=("baseline", "xxx"))
    wild = page(prompts=10, samplers=("baseline", "<b onclick=x>&\"'"), hostile=True, values=None)
    assert wild.count("script") == calm.count("script") == 1
    assert wild.count("b") == 0
    assert all(
        attributes.get("src", "").startswith("data:image/")
        for tag, attributes in wild.elements
        if tag == "img"
    )
    assert not any(name.startswith("on") for _, attributes in wild.elements for name in attributes)
    for prompt in HOSTILE:
        assert flat(prompt) in wild.text


def test_hostile_values_reach_the_figures_as_text():
    values = ("<script>alert(1)</script>", "$x^2$ \\frac{1}{2}", "שלום 😀", "日本語 ]]> -->")
    wild = page(values=values, prompts=1)
    assert wild.count("script") == 1
    assert "□□□ ]]> -->" in wild.text


def test_every_number_of_the_summary_is_in_the_results():
    report = sample_report(attributes=("gender", "race"))
    text = page(attributes=("gender", "race")).text
    for sampler in report.results.samplers.values():
        for result in sampler.attributes.values():
            fd = result.fd_prompts
            assert f"Pooled over the prompts it is {result.fd.value:.3f}" in text
            assert f"(FD) within prompts {fd.value:.3f} ({fd.low:.3f} to {fd.high:.3f})" in text
            assert f"stay below {fd.null95:.3f} with 95 % chance" in text
            for share in result.shares.values():
                assert f"{100 * share.value:.1f} %" in text
                assert f"{100 * share.low:.1f} to {100 * share.high:.1f} %" in text
                assert f"raw {100 * share.raw:.1f} %" in text
        for estimate in sampler.quality.values():
            shown = re.findall(r"-?\d+\.\d+", text)
            assert any(abs(float(number) - estimate.value) < 0.06 * estimate.value for number in shown)
    assert report.results.digest in text
    assert report.plan.digest in text


def test_missing_numbers_say_why():
    text = html.render(sample_report(missing=True)).decode()
    parsed = Page(text)
    hovers = [attributes["title"] for tag, attributes in parsed.elements if tag == "abbr"]
    assert hovers
    reasons = (REASON, "the other samplers' pictures are compared with this sampler's")
    assert all(any(reason in hover for reason in reasons) for hover in hovers)
    assert f"n/a: {REASON}" in parsed.text
    assert "None" not in parsed.text
    assert "nan" not in parsed.text.split()


def test_a_folder_reads_naturally():
    text = page(**FOLDER).text
    assert "the images are" in text
    assert "Same prompt, same noise" not in text
    for absent in ("aimed at", "Sampler", "Comparisons", "Prompt by prompt", "noise 0"):
        assert absent not in text


def test_uncalibrated_shares_say_so():
    assert page(calibrated=False).text.count("uncalibrated") >= 6
    assert "uncalibrated" not in page().text


def test_equal_reports_give_equal_bytes():
    assert html.render(sample_report()) == html.render(sample_report())


def test_skipped_files_are_counted_and_thousands_of_one_kind_do_not_hide_another():
    report = sample_report(skipped=30)
    skipped = report.results.skipped | {"cut.png": "broken (it ends early)"}
    counts = {"not an image: a reason of its own": 30_000, "broken": 1}
    results = report.results.model_copy(update={"skipped": skipped, "skipped_counts": counts})
    text = Page(html.render(replace(report, results=results)).decode()).text
    assert "30,001 input files could not be used." in text
    assert "The first 10 of each kind are listed here, more of them in results.json." in text
    assert "picture-9|.png" in text
    assert "picture-10|.png" not in text
    assert "cut.png" in text


def test_large_pictures_shrink_into_the_budget():
    report = sample_report(grid_rows=24, picture_size=512)
    noisy = png(0, 512)
    assert len(noisy) > 0
    assert len(html.render(report)) < 3_000_000


def test_tables_have_heads_and_pictures_have_alternatives():
    parsed = page()
    heads = [attributes for tag, attributes in parsed.elements if tag == "th"]
    assert heads
    assert all(head["scope"] in {"row", "col"} for head in heads)
    assert all(attributes["alt"] for tag, attributes in parsed.elements if tag == "img")
    drawings = [attributes for tag, attributes in parsed.elements if tag == "svg"]
    assert all(drawing["role"] == "img" and drawing["aria-label"] for drawing in drawings)


def test_what_stands_in_backticks_is_code_and_still_escaped():
    report = sample_report(missing=True)
    asked = "`fairaudit fetch x` <i> `<script>`"
    text = report.results.model_dump_json(by_alias=True).replace(REASON, asked)
    report = replace(report, results=type(report.results).model_validate_json(text))
    page = html.render(report).decode()
    assert "<code>fairaudit fetch x</code> &lt;i&gt; <code>&lt;script&gt;</code></li>" in page
    assert "<i>" not in page
