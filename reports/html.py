"""The report as one self-contained HTML file: no network, no other file."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path

from fairaudit.reports.figures import coloured
from fairaudit.reports.model import Figure, Shot
from fairaudit.reports.story import tell
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from fairaudit.reporting import ReportInput

TEMPLATES = Path(__file__).parent / "templates"


def render(report: ReportInput) -> bytes:
    """The report page.

    Parameters
    ----------
    report
        What to show. Every text in it may be hostile: all of it is escaped, and the page's own policy
        forbids any script but its own and any load from elsewhere.

    Returns
    -------
    bytes
        UTF-8 HTML; equal reports give equal bytes.
    """
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return _template().render(story=tell(report), script=Markup(script), script_hash=_hash(script)).encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawing"] = _drawing
    environment.filters["data_uri"] = _data_uri
    environment.filters["prose"] = _prose
    return environment.get_template("report.html.j2")


def _prose(text: str) -> Markup:
    """A sentence, escaped; what stands in backticks is code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))


def _drawing(figure: Figure) -> Markup:
    """The SVG inline, named for those who do not see it; its texts were escaped when it was drawn."""
    opening = Markup('<svg role="img" aria-label="{}"').format(figure.alt)
    return opening + Markup(coloured(figure.svg, paper=False).removeprefix("<svg"))


def _data_uri(shot: Shot) -> str:
    return f"data:image/{shot.kind};base64,{base64.b64encode(shot.data).decode()}"


def _hash(script: str) -> str:
    """The hash by which the page's content security policy knows its own script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
