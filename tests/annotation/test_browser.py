"""Labelling by keyboard in a real browser."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from fairaudit.annotation.answers import Answers
from fairaudit.annotation.server import serving
from tests.annotation.sessions import session
from tests.browsing import CHROMIUM, FLAGS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to label with")

VALUES = {
    "gender": ("female", "<b>male</b>"),
    "race": (
        "White",
        "Black",
        "East Asian",
        "Southeast Asian",
        "Indian",
        "Middle Eastern",
        "Latino_Hispanic",
    ),
}


@pytest.fixture
def page():
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(10_000)
        page.trouble = []
        page.on("console", lambda message: page.trouble.append(message.text))
        page.on("pageerror", lambda error: page.trouble.append(str(error)))
        yield page
        browser.close()


def labelled(page, text: str) -> None:
    """Wait until the page says so, and shows its picture if there is one."""
    page.get_by_text(text, exact=True).wait_for()
    page.locator("#stage[aria-busy=false]").wait_for(state="attached")


def test_a_picture_that_is_not_there_yet_gets_no_answer(page, tmp_path: Path) -> None:
    """The second picture is on its way until it is let go."""
    asked, let_go = session(tmp_path, count=3), Event()
    read = asked.read
    asked.read = lambda *place: read(*place) if place[2] != 1 or let_go.wait(20) else b""
    with serving(asked) as address:
        page.goto(address)
        labelled(page, "0 of 3 labelled")
        assert page.locator("#picture").is_visible()
        page.keyboard.press("1")
        page.get_by_text("1 of 3 labelled", exact=True).wait_for()
        assert not page.locator("#picture").is_visible()
        page.keyboard.press("2")
        page.get_by_role("button", name="male", exact=False).last.click()
        page.keyboard.press("ArrowLeft")
        labelled(page, "Question 1 of 3, labelled: female")
        page.keyboard.press("ArrowRight")
        page.get_by_text("Question 2 of 3", exact=True).wait_for()
        page.keyboard.press("2")
        let_go.set()
        labelled(page, "1 of 3 labelled")
        assert page.locator("#picture").is_visible()
        page.keyboard.press("2")
        labelled(page, "2 of 3 labelled")
    assert [(a.question.index, a.value) for a in Answers(tmp_path, "ada").given] == [
        (0, "female"),
        (1, "male"),
    ]
    assert page.trouble == []


def test_a_picture_that_is_gone_can_be_answered(page, tmp_path: Path) -> None:
    asked = session(tmp_path, count=2)
    read = asked.read
    asked.read = lambda *place: read(*place) if place[2] else b"no picture"
    with serving(asked) as address:
        page.goto(address)
        page.get_by_text("cannot be shown any more").wait_for()
        assert not page.locator("#picture").is_visible()
        page.keyboard.press("0")
        labelled(page, "1 of 2 labelled")
        assert page.locator("#picture").is_visible()
        assert not page.get_by_text("cannot be shown any more").is_visible()


def test_label_undo_reload_and_resume(page, tmp_path: Path) -> None:
    asked = session(tmp_path, count=3, values=VALUES)
    with serving(asked) as address:
        page.goto(address)
        labelled(page, "0 of 6 labelled")
        assert page.get_by_role("heading", name="Which perceived gender?").is_visible()
        for key, count in (("2", 1), ("7", 2), ("u", 3), ("1", 4)):
            page.keyboard.press(key)
            labelled(page, f"{count} of 6 labelled")
        page.keyboard.press("9")  # gender has no ninth value
        page.keyboard.press("Backspace")
        labelled(page, "3 of 6 labelled")
        page.reload()
        labelled(page, "3 of 6 labelled")
        labelled(page, "Question 4 of 6")
        page.keyboard.press("ArrowLeft")
        labelled(page, "Question 3 of 6, labelled: cannot tell")
        page.keyboard.press("1")
        page.get_by_role("button", name="Indian").click()
        labelled(page, "4 of 6 labelled")
    assert [answer.value for answer in Answers(tmp_path, "ada").given] == [
        "<b>male</b>", "Latino_Hispanic", "female", "Indian",
    ]  # fmt: skip
    with serving(session(tmp_path, count=3, values=VALUES)) as address:
        page.goto(address)
        labelled(page, "4 of 6 labelled")
        page.keyboard.press("0")
        labelled(page, "5 of 6 labelled")
        page.keyboard.press("0")
        labelled(page, "6 of 6 labelled")
        page.get_by_role("heading", name="All pictures are labelled").wait_for()
        page.keyboard.press("z")
        labelled(page, "5 of 6 labelled")
    assert page.trouble == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_can_be_read(page, tmp_path: Path, scheme: str) -> None:
    page.set_viewport_size({"width": 380, "height": 740})
    page.emulate_media(color_scheme=scheme)
    with serving(session(tmp_path, values=VALUES)) as address:
        page.goto(address)
        labelled(page, "0 of 8 labelled")
        page.keyboard.press("1")
        labelled(page, "1 of 8 labelled")
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
        assert page.evaluate("document.images[0].complete && document.images[0].naturalWidth") == 64
        ink, paper = (
            [int(part) for part in page.evaluate(f"getComputedStyle(document.body).{name}")[4:-1].split(",")]
            for name in ("color", "backgroundColor")
        )
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert contrast(ink, paper) >= 7
    assert page.trouble == []


@pytest.mark.parametrize(("width", "height"), [(390, 740), (1280, 500)])
def test_no_part_of_a_picture_is_cut_off(page, tmp_path: Path, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    with serving(session(tmp_path)) as address:
        page.goto(address)
        labelled(page, "0 of 4 labelled")
        picture, stage = (page.locator(name).bounding_box() for name in ("#picture", "#stage"))
    assert stage["height"] < stage["width"]
    assert stage["y"] <= picture["y"]
    assert picture["y"] + picture["height"] <= stage["y"] + stage["height"]


def contrast(first: list[int], second: list[int]) -> float:
    """WCAG 2 contrast ratio of two sRGB colours."""
    dark, light = sorted(map(_luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: list[int]) -> float:
    parts = [c / 255 for c in colour]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_an_answer_that_could_not_be_kept_is_not_shown_as_kept(page, tmp_path: Path) -> None:
    with serving(session(tmp_path)) as address:
        page.goto(address)
        labelled(page, "0 of 4 labelled")
    page.keyboard.press("1")
    page.get_by_role("alert").filter(has_text="Not kept").wait_for()
    labelled(page, "0 of 4 labelled")
    assert Answers(tmp_path, "ada").given == []
