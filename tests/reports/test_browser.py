"""The page in a real browser: it loads cleanly, shows its pictures, and fits a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from fairaudit.reports import html

from tests.reports.sample import sample_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium to look at the page with")

# Frames of these widths stand in for screens: a headless window has a least width of 500.
FRAME = """<!doctype html><body><pre id=out></pre>
<iframe id=f width={width} height=900 src=report.html></iframe>
<script>onload = () => {{
  const page = document.getElementById("f").contentWindow, root = page.document.documentElement;
  const images = Array.from(page.document.images);
  const filter = page.document.querySelector('form[data-filters^="prompts"] input');
  let kept = null;
  if (filter) {{
    filter.value = "nurse";
    filter.dispatchEvent(new page.Event("input"));
    kept = page.document.querySelectorAll("#prompts tbody tr:not([hidden])").length;
    page.document.querySelectorAll("#prompts thead button")[3].click();
  }}
  document.getElementById("out").textContent = JSON.stringify({{
    width: root.clientWidth, content: root.scrollWidth, script: root.classList.contains("js"), kept,
    images: images.map((image) => image.naturalWidth),
    order: Array.from(page.document.querySelectorAll("#prompts tbody tr"))
      .map((row) => parseFloat(row.cells[3].dataset.sort)),
  }});
}};</script>"""


def chromium(folder: Path, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=4000",        *options, target.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def measure(folder: Path, width: int, **options) -> dict:
    (folder / "report.html").write_bytes(html.render(sample_report(**options)))
    frame = folder / "frame.html"
    frame.write_text(FRAME.format(width=width), encoding="utf-8")
    dom = chromium(folder, frame, "--dump-dom", "--window-size=1400,1000").stdout
    found = re.search(r'<pre id="out">(\{.*?\})</pre>', dom)
    assert found, dom[-500:]
    return json.loads(found[1])


@pytest.mark.parametrize("width", [380, 1280])
@pytest.mark.parametrize(
    "options", [{}, {"hostile": True, "attributes": ("age",)}], ids=["plain", "hostile"]
)
def test_fits_the_screen_and_shows_every_picture(tmp_path, width, options):
    seen = measure(tmp_path, width, **options)
    assert seen["width"] <= width
    assert seen["content"] <= seen["width"]
    assert seen["script"]
    assert len(seen["images"]) == 18
    assert all(size == 64 for size in seen["images"])


def test_filters_and_sorts(tmp_path):
    seen = measure(tmp_path, 1280)
    assert seen["kept"] == 3
    assert seen["order"] == sorted(seen["order"])


def test_no_console_errors_and_no_script_of_others(tmp_path):
    page = tmp_path / "report.html"
    page.write_bytes(html.render(sample_report(hostile=True)))
    done = chromium(tmp_path, page, "--dump-dom", "--enable-logging=stderr", "--v=0")
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert '<html lang="en" class="js">' in done.stdout
