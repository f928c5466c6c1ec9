"""The report as PDF, typeset by Typst: no browser and no system library."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any, Literal

import matplotlib
import typst
from fairaudit.reports.figures import coloured, has_glyph
from fairaudit.reports.model import Figure, Shot, Story
from fairaudit.reports.paper import on_paper
from fairaudit.reports.story import tell

from fairaudit.reporting import ReportInput

TEMPLATES = Path(__file__).parent / "templates"
UNIVERSAL: Literal["ua-1"] = "ua-1"
"""PDF/UA-1, what screen readers rely on."""


def render(report: ReportInput) -> bytes:
    """The report as PDF.

    Parameters
    ----------
    report
        What to show. Its texts reach Typst as data, never as markup.

    Returns
    -------
    bytes
        The PDF, as PDF/UA-1 where its characters allow that; equal reports give equal bytes.
    """
    return typeset(on_paper(tell(report)))


def typeset(story: Story) -> bytes:
    """A story as PDF, whatever made it."""
    files = {path.name: path.read_bytes() for path in TEMPLATES.glob("*.typ")}
    text = json.dumps(_plain(story, files), ensure_ascii=False)
    files["story.json"] = text.encode()
    # The machine's own fonts make the bytes depend on it, so they help out only where text needs them.
    return _compile(files, ignore_system_fonts=all(map(has_glyph, set(text))))


def _compile(files: dict[str, bytes], ignore_system_fonts: bool) -> bytes:
    """Typst reads pictures from real files only, so they stand in a folder for as long as it runs."""
    with tempfile.TemporaryDirectory(prefix="fairaudit-") as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)

        def under(standard: Literal["ua-1"] | None) -> bytes:
            document: bytes = typst.compile(
                str(Path(folder) / "report.typ"),
                root=folder,
                format="pdf",
                timestamp=0,
                pdf_standards=standard,
                ignore_system_fonts=ignore_system_fonts,
                # DejaVu Sans comes with matplotlib; it has the scripts that Typst's own fonts lack.
                font_paths=[str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")],
            )
            return document

        try:
            return under(UNIVERSAL)
        except typst.TypstError:
            # A prompt may hold characters that no font has, which the standard forbids.
            return under(None)


def _plain(value: Any, files: dict[str, bytes]) -> Any:
    """The story as JSON values; pictures and drawings become files that their place names."""
    if isinstance(value, Figure):
        name = f"figure-{len(files)}.svg"
        files[name] = coloured(value.svg, paper=True).encode()
        return {"file": name, "alt": value.alt, "title": value.title}
    if isinstance(value, Shot):
        name = f"picture-{len(files)}.{value.kind}"
        files[name] = value.data
        return {"file": name, "alt": value.alt, "label": value.label, "lines": value.lines}
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name), files) for f in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(item, files) for item in value]
    return value
