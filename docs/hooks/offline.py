"""The site takes nothing from the network: a page that would stops the build."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

_LOADS = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'\s>]*"""
    r"""|<link\b[^>]*\brel=["']?(?:stylesheet|preconnect|preload|icon)\b[^>]*\bhref=["']?(?:https?:)?//[^"'\s>]*"""
    r"""|\burl\(["']?(?:https?:)?//[^)]*""",
    re.IGNORECASE,
)
"""What a browser fetches without being asked; links that a reader follows are no part of it."""


def on_post_build(config: Any, **_: Any) -> None:
    """Look at every page and style sheet of the site."""
    site = Path(config.site_dir)
    for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        for found in _LOADS.finditer(path.read_text(encoding="utf-8")):
            raise PluginError(f"{path.relative_to(site)} loads from the network: {found[0]}")
