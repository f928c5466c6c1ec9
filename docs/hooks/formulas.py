"""Formulas as MathML, which browsers set by themselves: no script, no font, no network.

Pages write TeX between dollars, which pymdownx.arithmatex marks.
"""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
_BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """The page's HTML with its TeX set as MathML."""
    content = _BLOCK.sub(lambda found: _set(found[1], "block"), content)
    return _INLINE.sub(lambda found: _set(found[1], "inline"), content)


def _set(tex: str, display: str) -> str:
    formula = convert(html.unescape(tex), display=display)
    if "\\" in formula:
        raise PluginError(f"TeX that is not known: {html.unescape(tex)}")
    return formula
