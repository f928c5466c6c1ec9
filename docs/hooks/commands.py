"""The command line, described by the typer app that parses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from fairaudit.cli import app

_ALWAYS = "Always"
_KIND = re.compile(r"^<|>$|list\[|\]")
"""What a name of a type is wrapped in."""


def commands() -> str:
    """A chapter for every command: usage, arguments and options as ``--help`` gives them."""
    group: Any = typer.main.get_command(app)
    return "\n".join(line for name, command in group.commands.items() for line in _chapter(name, command))


def _chapter(name: str, command: Any) -> Iterator[str]:
    context = command.context_class(command, info_name=f"fairaudit {name}")
    yield from (f"## fairaudit {name}", "", command.help, "")
    yield from (
        "```text",
        f"fairaudit {name} {' '.join(command.collect_usage_pieces(context)).upper()}",
        "```",
        "",
    )
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    if arguments:
        yield from ("| argument | meaning |", "|---|---|")
        yield from (f"| `{one.name.upper()}` | {_meaning(one)} |" for one in arguments)
        yield ""
    panels = dict.fromkeys(one.rich_help_panel for one in options)
    for panel in panels:
        own = [one for one in options if one.rich_help_panel == panel]
        yield from (f"| {panel or ('option' if len(panels) == 1 else _ALWAYS)} | meaning |", "|---|---|")
        yield from (f"| {_spelling(one, context)} | {_meaning(one)} |" for one in own)
        yield ""


def _spelling(option: Any, context: Any) -> str:
    """Names of an option and the kind of value that it takes."""
    record = option.get_help_record(context)
    takes = "" if option.is_flag or record is None else f" {_KIND.sub('', record[0].split()[-1]).upper()}"
    names = sorted(option.opts, key=lambda name: not name.startswith("--"))
    return "<br>".join(f"`{name}{takes}`" for name in names)


def _meaning(parameter: Any) -> str:
    """What the help says, with the default where it does not say it itself."""
    text = escape(parameter.help or "")
    default = parameter.default
    if parameter.show_default and default not in (None, False, ()) and "[default" not in text:
        text += f" [default: {default}]"
    return text


def escape(text: str) -> str:
    """Text for the cell of a table."""
    return text.replace("|", r"\|").replace("<", "&lt;").replace("{", "&#123;")
