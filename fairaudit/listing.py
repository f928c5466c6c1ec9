"""What can be named on the command line, with one line about each."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import cast

from fairaudit import registry
from fairaudit.attributes import ATTRIBUTES
from fairaudit.errors import unknown
from fairaudit.models.builtin import GENERATORS, PREFIX
from fairaudit.prompts import PROMPT_SETS, Prompt

KINDS = ("models", "samplers", "classifiers", "attributes", "prompts", "reports")


def describe(kind: str) -> Iterator[tuple[str, str]]:
    """Names of a kind, each with a line of text.

    Raises
    ------
    UsageError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    if kind == "models":
        yield from ((PREFIX + name, "carried by the package") for name in GENERATORS)
    elif kind == "attributes":
        yield from ((name, ", ".join(known.values)) for name, known in ATTRIBUTES.items())
    elif kind == "prompts":
        for name, templates in PROMPT_SETS.items():
            yield name, f"{len(templates)} prompts, first: {Prompt(templates[0]).text}"
    else:
        registered = cast("registry.Kind", kind)
        for name in registry.names(registered):
            yield name, (inspect.getdoc(registry.load(registered, name)) or "").split("\n")[0]
