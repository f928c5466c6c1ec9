"""What can be named on the command line, with one line about each."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairaudit import registry
from fairaudit.attributes import ATTRIBUTES
from fairaudit.cards import card_of
from fairaudit.errors import unknown
from fairaudit.models.builtin import GENERATORS, PREFIX
from fairaudit.prompt_sets import PUBLISHED, published
from fairaudit.prompts import PROMPT_SETS, Prompt
from fairaudit.sources import ANALYTIC

KINDS = ("models", "samplers", "classifiers", "detectors", "extractors", "attributes", "prompts", "reports")


def describe(kind: str, *, parameters: bool = False) -> Iterator[tuple[str, str]]:
    """Names of a kind, each with a line of text.

    Parameters
    ----------
    parameters
        Whether every parameter of a sampler follows it, by the name that ``--set`` takes, with its default.

    Raises
    ------
    UsageError
        If there is no such kind.
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    if kind == "models":
        yield from ((PREFIX + name, "carried by the package") for name in GENERATORS)
        yield ANALYTIC, "a Gaussian mixture whose shares are known exactly"
    elif kind == "attributes":
        yield from ((name, ", ".join(known.values)) for name, known in ATTRIBUTES.items())
    elif kind == "prompts":
        for name, templates in PROMPT_SETS.items():
            yield name, _prompts(templates)
        for name in PUBLISHED:
            found = published(name)
            yield name, f"{_prompts(found.templates)}; {found.source}; licence {found.licence}"
    else:
        registered = cast("registry.Kind", kind)
        for name in registry.names(registered):
            found = registry.load(registered, name)
            card = card_of(found)
            yield name, f"{first_line(found)}{f' [{card}]' if card else ''}"
            if parameters and kind == "samplers":
                yield from ((f"  {name}.{key}", default) for key, default in _defaults(found))


def show(described: Iterable[tuple[str, str]]) -> None:
    """Print names and texts: as columns in a terminal, elsewhere a line each for scripts to read."""
    console = Console(highlight=False)
    if not console.is_terminal:
        for name, text in described:
            print(f"{name:<28} {text}")
        return
    table = Table(box=None, show_header=False, pad_edge=False, row_styles=("", "dim"))
    table.add_column(no_wrap=True)
    table.add_column()
    for name, text in described:
        table.add_row(Text(name), Text(text))
    console.print(table)


def first_line(documented: object) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(documented) or "").split("\n")[0]


def _defaults(sampler: Callable[..., object]) -> Iterator[tuple[str, str]]:
    for parameter in inspect.signature(sampler).parameters.values():
        if parameter.name != "name":
            required = parameter.default is parameter.empty
            yield parameter.name, "required" if required else json.dumps(parameter.default, default=str)


def _prompts(templates: Sequence[str]) -> str:
    first = Prompt(templates[0]).text
    return first if len(templates) == 1 else f"{len(templates)} prompts, first: {first}"
