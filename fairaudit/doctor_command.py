"""The command `fairaudit doctor`: what is here, what is missing, and whether it works."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from fairaudit.answering import AnswerFile, answer
from fairaudit.errors import FairauditError
from fairaudit.offline import Offline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairaudit.doctoring import Finding

_COLOURS = {"ok": "green", "missing": "yellow", "failed": "red"}


def doctor(
    *,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Audit the built-in model, which takes about a minute.")
    ] = True,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    offline: Offline = False,
    out: AnswerFile = None,
) -> None:
    """Look at versions, devices and weights, and try them out; say what is missing and how to get it."""
    from rich.console import Console

    from fairaudit.doctoring import examine, works

    with Console(stderr=True).status(
        "looking around, then auditing the built-in model" if test else "looking around"
    ):
        findings = list(examine(device, test=test))
    answer([asdict(finding) for finding in findings], lambda: _show(findings), json=json, out=out)
    if not works(findings):
        raise typer.Exit(FairauditError.exit_code)


def _show(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        said = Text(finding.found)
        if finding.remedy:
            said.append(f"\n{finding.remedy}", style="dim")
        table.add_row(Text(finding.state, style=_COLOURS[finding.state]), finding.what, said)
    Console(highlight=False).print(table)
