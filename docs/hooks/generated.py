"""Parts of pages that are made of the code itself, so that they cannot go stale.

A line ``<!-- generated: NAME -->`` in a page is replaced by what the function of that name below gives.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

# Siblings are found however a page is built.
sys.path.insert(0, str(Path(__file__).parent))

from commands import commands
from models import plan, results
from names import classifiers, detectors, exit_codes, extractors, prompts, samplers

_MARK = re.compile(r"^<!-- generated: ([a-z_]+) -->$", re.MULTILINE)
_GENERATORS = {
    function.__name__: function
    for function in (
        classifiers,
        commands,
        detectors,
        exit_codes,
        extractors,
        plan,
        prompts,
        results,
        samplers,
    )
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with its generated parts; an unknown name stops the build."""
    return _MARK.sub(lambda found: _GENERATORS[found[1]](), markdown)
