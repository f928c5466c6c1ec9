"""The built site in a browser: nothing is loaded from a network, search works, and pages fit a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browsing import CHROMIUM, FLAGS
from tests.docs.blocks import ROOT

SITE = ROOT / "build" / "site"
PAGES = ("index", "tutorial", "explanation/numbers", "reference/commands", "reference/api/statistics")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium to look at the site with"),
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="`make docs` has not built the site"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_phone_and_asks_the_network_for_nothing(browser: Any, name: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    asked: list[str] = []
    trouble: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto((SITE / f"{name}.html").as_uri())
    sizes = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    page.close()
    assert sizes[0] <= sizes[1]
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert trouble == []


def test_search_works_without_a_server(browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(20_000)
    page.goto((SITE / "index.html").as_uri())
    page.click(".md-search__input")
    page.keyboard.type("null band", delay=20)
    page.wait_for_selector(".md-search-result__link")
    found = page.eval_on_selector_all(".md-search-result__link", "links => links.map(link => link.href)")
    page.close()
    assert any("explanation/numbers.html" in link for link in found)
