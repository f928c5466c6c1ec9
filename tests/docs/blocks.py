"""Fenced blocks and inline code of Markdown pages, as the tests of the documentation read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
_TITLE = re.compile(r'title="([^"]+)"')
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is to be written to, and its text."""

    page: Path
    line: int
    language: str
    file: str | None
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The commands of a block: lines after ``$`` of a console, all lines elsewhere."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            return [line[2:] for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        language, _, rest = fence["info"].strip().partition(" ")
        title = _TITLE.search(rest)
        lines = [line.removeprefix(fence["indent"]) for line in fence["text"].splitlines()]
        number = text.count("\n", 0, fence.start()) + 1
        found.append(Block(page, number, language, title[1] if title else None, "\n".join(lines) + "\n"))
    return found


def inline_code(page: Path) -> Iterator[str]:
    """What stands between backticks in the prose of a page."""
    yield from _INLINE.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
