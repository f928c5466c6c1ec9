"""What is on the pages of a PDF, as poppler sees it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

SLACK = 0.5
"""Points by which a glyph's box may reach over what it stands in."""


@dataclass(frozen=True)
class Word:
    """A word and its box, in points from the upper left corner."""

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Page:
    """A page of the PDF."""

    width: float
    height: float
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words).replace("\u200b", "")

    def outside(self, margin: float = 0.0) -> list[Word]:
        """Words that reach over the page, less a margin."""
        return [
            word
            for word in self.words
            if word.left < margin - SLACK
            or word.top < -SLACK
            or word.right > self.width - margin + SLACK
            or word.bottom > self.height + SLACK
        ]


def tool(name: str, *arguments: str) -> str:
    """What a program of poppler says; the test is left out where there is none."""
    if not (path := shutil.which(name)):
        pytest.skip(f"{name} is not installed")
    return subprocess.run([path, *arguments], capture_output=True, check=True).stdout.decode()


def pages_of(document: bytes, folder: Path) -> list[Page]:
    """All pages, with the boxes of their words."""
    (folder / "report.pdf").write_bytes(document)
    found = tool("pdftotext", "-bbox", str(folder / "report.pdf"), "-")
    found = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", found)
    root = ElementTree.fromstring(found)
    spaced = "{http://www.w3.org/1999/xhtml}"
    return [
        Page(
            float(page.get("width", 0)),
            float(page.get("height", 0)),
            tuple(
                Word(word.text or "", *(float(word.get(end, 0)) for end in ("xMin", "yMin", "xMax", "yMax")))
                for word in page.iter(f"{spaced}word")
            ),
        )
        for page in root.iter(f"{spaced}page")
    ]
