"""The page in a real browser: what it shows at every width, what can be done with it, and who can read it."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from fairaudit.reports import html

from tests.browsing import CHROMIUM, FLAGS
from tests.reports.sample import sample_report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to look at the page with")

PHONE, TABLET, DESK = 390, 768, 1280
REPORTS = {
    "plain": {},
    "hostile": {"hostile": True, "attributes": ("age",), "prompts": 9},
    "rich": {"rich": True, "attributes": ("gender", "race"), "prompts": 4},
    "folder": {"samplers": ("images",), "prompts": 0, "rich": True},
}
OPEN = "document.querySelectorAll('details').forEach((fold) => (fold.open = true))"
WIDER = """() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"""
UNSEEN = """() => Array.from(document.querySelectorAll("img, svg")).filter((node) => {
  const box = node.getBoundingClientRect();
  return box.width < 20 || box.height < 5 || node.naturalWidth === 0;
}).map((node) => node.outerHTML.slice(0, 80))"""
CLIPPED = """() => Array.from(document.querySelectorAll(
  "h1, h2, h3, h4, p, li, dt, dd, figcaption, summary, label, th, td, .verdict, small, code"
)).filter((node) => node.clientWidth && node.scrollWidth > node.clientWidth + 1)
 .filter((node) => !node.closest("pre, .skip"))
 .map((node) => node.tagName + ": " + node.textContent.trim().slice(0, 80))"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every report as a file."""
    folder = tmp_path_factory.mktemp("pages")
    for name, options in REPORTS.items():
        (folder / f"{name}.html").write_bytes(html.render(sample_report(**options)))
    return folder


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def look(browser, pages):
    """Opens a report; what goes wrong and what is asked of the network is noted on the page."""
    contexts = []

    def look(name, width=DESK, scheme="light", script=True):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.trouble, page.asked = [], []
        page.on("console", lambda message: page.trouble.append(message.text))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto((pages / f"{name}.html").as_uri())
        return page

    yield look
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", REPORTS)
def test_everything_is_shown_at_every_width_and_nothing_is_cut(look, name):
    page = look(name)
    for width in (PHONE, TABLET, DESK):
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(OPEN)
        content, screen = page.evaluate(WIDER)
        assert content <= screen == width
        assert page.evaluate(UNSEEN) == []
        assert page.evaluate(CLIPPED) == []
    assert not page.trouble
    asked = [url for url in page.asked if not url.startswith("data:")]
    assert asked == [page.url]


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("rich", DESK, "light"), ("rich", PHONE, "dark"), ("plain", PHONE, "light"), ("folder", DESK, "dark")],
)
def test_axe_finds_no_serious_fault(look, name, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = look(name, width, scheme)
    page.evaluate(OPEN)
    found = axe.Axe().run(page).response["violations"]
    said = [
        f"{one['impact']} {one['id']}: {one['help']} at {one['nodes'][0]['html'][:120]}"
        for one in found
        if one["impact"] in {"serious", "critical"} or one["id"] in {"heading-order", "region"}
    ]
    assert said == []


def test_tables_are_sorted_by_their_heads_and_filtered_by_prompt_and_sampler(look):
    page = look("rich")
    box = page.locator("#prompts-1")
    rows = box.locator("tbody tr:visible")
    assert rows.count() == 12
    box.locator("[name=text]").fill("nurse")
    assert rows.count() == 3
    box.locator("[name=sampler]").select_option("switching")
    assert rows.count() == 1
    assert box.locator("output").inner_text() == "1 of 12 rows"
    box.locator("[name=text]").fill("")
    box.locator("[name=sampler]").select_option("All")
    box.locator("[name=prompt]").select_option("a photo of a judge")
    assert rows.count() == 3
    box.locator("[name=prompt]").select_option("All")
    sizes = "rows => rows.map((row) => parseFloat(row.cells[3].dataset.sort))"
    for direction in (1, -1):
        box.get_by_role("button", name="FD").click()
        found = box.locator("tbody tr").evaluate_all(sizes)
        assert found == sorted(found, reverse=direction < 0)
    assert box.locator("th[aria-sort=descending]").count() == 1


def test_pictures_are_filtered_by_prompt_label_and_change(look):
    page = look("plain")
    form, rows = page.locator("form[data-filters=reels]"), page.locator("#reels tr[data-item]:visible")
    form.get_by_label("Prompt").select_option(index=1)
    assert rows.count() == 2
    form.get_by_label("Prompt").select_option(index=0)
    form.get_by_label("Between samplers").select_option("gender")
    changed = rows.count()
    labels = "row => Array.from(row.querySelectorAll('figcaption'), (one) => one.firstChild.textContent)"
    assert changed
    assert all(len({re.sub(r" [\d.]+", "", t) for t in row.evaluate(labels)}) > 1 for row in rows.all())
    form.get_by_label("Label").select_option("female")
    assert all(any("female" in text for text in row.evaluate(labels)) for row in rows.all())


def test_two_samplers_of_one_noise_lie_one_over_the_other(look):
    page = look("plain")
    viewer = page.locator(".viewer")
    shown = "images => images.map((image) => [image.src, image.alt])"
    grid = page.locator("#reels tr[data-item]").first.locator("img").evaluate_all(shown)
    under, over = viewer.locator(".stage img").evaluate_all(shown)
    assert (over, under) == (grid[0], grid[2])
    viewer.locator("select").last.select_option("guidance")
    assert viewer.locator(".stage img").evaluate_all(shown)[0] == grid[1]
    slider = viewer.get_by_role("slider")
    slider.focus()
    slider.press("End")
    assert slider.get_attribute("aria-valuetext") == "100 % baseline, 0 % guidance"
    cut = viewer.locator(".over").evaluate("image => getComputedStyle(image).clipPath")
    assert re.search(r"\b0(%|px)", cut.removeprefix("inset(0px"))
    page.get_by_role("button", name="noise 1").first.click()
    assert "noise 1" in viewer.inner_text()
    viewer.get_by_role("button", name="Next").click()
    assert "noise 0" in viewer.inner_text()


def test_marks_say_their_numbers_to_pointer_and_keyboard(look):
    page = look("plain")
    drawing = page.locator(".card svg").first
    drawing.locator(".hinted").first.hover()
    tip = page.locator(".tip")
    said = tip.inner_text()
    assert re.match(r"female: \d\d\.\d\s% \(\d\d\.\d to \d\d\.\d\s%\), raw .*, target 50\.0\s%", said)
    page.mouse.move(1, 1)
    assert tip.is_hidden()
    drawing.evaluate("drawing => drawing.focus({focusVisible: true})")
    page.keyboard.press("ArrowDown")
    first = tip.inner_text()
    page.keyboard.press("ArrowDown")
    assert {first.split(":")[0], tip.inner_text().split(":")[0]} == {"female", "male"}
    page.keyboard.press("Escape")
    assert tip.is_hidden()


def test_without_scripts_all_can_be_read_and_nothing_pretends_to_work(look):
    page = look("rich", script=False)
    assert page.locator(".filters:visible, .viewer, thead button").count() == 0
    assert page.locator("#reels tr img").count() == 18
    assert page.locator("#prompts-1 tbody tr:visible").count() == 12
    assert page.locator(".hinted > title").count() > 10


def test_the_contents_cover_no_heading(look):
    page = look("rich", PHONE)
    bottom = page.locator("nav").evaluate("nav => nav.getBoundingClientRect().height")
    for link in page.locator("nav a").all():
        link.click()
        heading = page.locator(f"section{link.get_attribute('href')} h2")
        assert heading.evaluate("node => node.getBoundingClientRect().top") >= bottom


def test_paper_has_no_contents_no_forms_and_no_folds(look):
    page = look("rich")
    page.emulate_media(media="print")
    hidden = page.locator("nav, .filters, .viewer, .skip")
    assert not any(node.is_visible() for node in hidden.all())
    folded = page.locator("details:not([open]) td").first
    assert folded.evaluate("cell => cell.checkVisibility({contentVisibilityAuto: true})")
    heights = "boxes => boxes.filter((box) => box.scrollHeight > box.clientHeight + 1).length"
    assert page.locator(".long").evaluate_all(heights) == 0


def test_no_picture_is_in_the_file_twice_and_a_full_grid_stays_light():
    report = sample_report(
        rich=True, attributes=("gender", "race"), prompts=4, grid_rows=24, picture_size=128
    )
    text = html.render(report).decode()
    pictures = Counter(re.findall(r'src="(data:image/[^"]+)"', text))
    assert len(pictures) == 72
    assert set(pictures.values()) == {1}
    assert len(text) < 3_000_000
