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

PHONE, DESK = 380, 1280
# Frames of these widths stand in for screens: a headless window has a least width of 500.
FRAMES = f"""<!doctype html><body><pre id=out></pre>
<iframe width={PHONE} height=900 src=report.html></iframe>
<iframe width={DESK} height=900 src=report.html></iframe>
<script>
const measure = (frame) => {{
  const page = frame.contentWindow.document, root = page.documentElement;
  const rows = (query) => Array.from(page.querySelectorAll("#prompts-1 tbody tr" + query));
  const filter = page.querySelector("#prompts input");
  filter.value = "nurse";
  filter.dispatchEvent(new Event("input"));
  page.querySelectorAll("#prompts-1 thead button")[3].click();
  return {{
    width: root.clientWidth, content: root.scrollWidth, script: root.classList.contains("js"),
    images: Array.from(page.images).map((image) => image.naturalWidth),
    kept: rows(":not([hidden])").length,
    order: rows("").map((row) => parseFloat(row.cells[3].dataset.sort)),
  }};
}};
onload = () => {{
  const frames = Array.from(document.querySelectorAll("iframe"));
  document.getElementById("out").textContent = JSON.stringify(frames.map(measure));
}};
</script>"""


def chromium(folder: Path, target: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--allow-file-access-from-files", f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=4000",        *options, target.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


def measure(folder: Path, **options) -> list[dict]:
    (folder / "report.html").write_bytes(html.render(sample_report(**options)))
    frames = folder / "frames.html"
    frames.write_text(FRAMES, encoding="utf-8")
    dom = chromium(folder, frames, "--dump-dom", "--window-size=1400,1000").stdout
    found = re.search(r'<pre id="out">(\[.*?\])</pre>', dom)
    assert found, dom[-500:]
    return json.loads(found[1])


@pytest.mark.parametrize(
    "options",
    [{}, {"hostile": True, "attributes": ("age",), "prompts": 9}, {"rich": True}],
    ids=["plain", "hostile", "rich"],
)
def test_fits_every_screen_shows_every_picture_filters_and_sorts(tmp_path, options):
    for seen, width in zip(measure(tmp_path, **options), (PHONE, DESK), strict=True):
        assert seen["script"]
        assert seen["width"] <= width
        assert seen["content"] <= seen["width"]
        assert seen["images"] == [64] * 18
        assert seen["kept"] == 3
        assert seen["order"] == sorted(seen["order"])


def test_no_console_errors_and_no_script_of_others(tmp_path):
    page = tmp_path / "report.html"
    page.write_bytes(html.render(sample_report(hostile=True)))
    done = chromium(tmp_path, page, "--dump-dom", "--enable-logging=stderr", "--v=0")
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert '<html lang="en" class="js">' in done.stdout
