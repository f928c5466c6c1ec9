"""What can be named, from the registry; and the exit codes, from the exceptions."""

from __future__ import annotations

import inspect
import re
from itertools import takewhile

from commands import escape

from fairaudit import errors, registry
from fairaudit.gate_command import EXIT_CODES
from fairaudit.listing import describe


def samplers() -> str:
    """Every sampler with its parameters and their defaults."""
    lines = {name.strip(): text for name, text in describe("samplers", parameters=True)}
    parts = []
    for name, text in lines.items():
        if "." not in name:
            parts += [f"## {name}", "", escape(text), ""]
            own = {key: value for key, value in lines.items() if key.startswith(f"{name}.")}
            if own:
                said = _meanings(registry.load("samplers", name))
                parts += ["| parameter | default | meaning |", "|---|---|---|"]
                parts += [
                    f"| `{key}` | `{escape(value)}` | {_in_cell(said.get(key.rpartition('.')[2], ''))} |"
                    for key, value in own.items()
                ]
                parts.append("")
    return "\n".join(parts)


def _meanings(documented: object) -> dict[str, str]:
    """What a docstring in numpydoc's form says of every parameter, names that share a text each with it."""
    lines = iter((inspect.getdoc(documented) or "").split("Parameters\n----------\n")[-1].splitlines())
    said: dict[str, str] = {}
    names: list[str] = []
    for line in takewhile(lambda text: text != "Notes", lines):
        if line and not line.startswith(" "):
            names = line.split(", ")
        for name in names if line.startswith(" ") else ():
            said[name] = f"{said.get(name, '')} {line.strip()}".strip()
    return said


def _in_cell(text: str) -> str:
    """A text whose list has a line for each of its items."""
    return escape(text).replace(' - "', '<br>"')


def classifiers() -> str:
    """Every classifier, with what it reads and needs."""
    return _table("classifiers")


def detectors() -> str:
    """Every detector of faces."""
    return _table("detectors")


def extractors() -> str:
    """Every network that features for quality are taken from."""
    return _table("extractors")


def prompts() -> str:
    """Every prompt set, with its source and licence."""
    return _table("prompts")


def exit_codes() -> str:
    """Exit codes of the exceptions, and those of the gate."""
    rows = ["| code | exception | when |", "|---|---|---|"]
    for error in (errors.FairauditError, *_below(errors.FairauditError)):
        rows.append(f"| {error.exit_code} | `{error.__name__}` | {(error.__doc__ or '').splitlines()[0]} |")
    rows += ["", "| code | outcome of `fairaudit gate` |", "|---|---|"]
    return "\n".join([*rows, *(f"| {code} | {outcome} |" for outcome, code in EXIT_CODES.items())])


def _below(error: type[errors.FairauditError]) -> list[type[errors.FairauditError]]:
    return [kind for child in error.__subclasses__() for kind in (child, *_below(child))]


def _table(kind: str) -> str:
    # Which weights lie on the machine that builds the pages is nobody's business.
    lines = {name: re.sub(r"; weights: [^\]]*", "", text) for name, text in describe(kind)}
    rows = [f"| `{name}` | {escape(text)} |" for name, text in lines.items()]
    return "\n".join(["| name | what it is |", "|---|---|", *rows])
