"""The command `fairaudit report`: the reports of a finished run, or of two side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fairaudit.offline import Offline


def report(
    run: Annotated[Path, typer.Argument(help="A run directory with results.json.")],
    other: Annotated[
        Path | None,
        typer.Argument(
            help="Another, to put beside it: what differs, with tests, paired where both share their noise.",
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the reports. [default: the run; of two, OTHER/versus-RUN]", show_default=False
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print what was compared as JSON; takes two runs.")
    ] = False,
    offline: Offline = False,
) -> None:
    """Write the reports of a finished run again, or one report of two runs side by side."""
    from fairaudit.auditing import render_reports, rewrite_reports
    from fairaudit.errors import UsageError

    if other is None:
        if json:
            raise UsageError("--json is for two runs; of one, results.json is there already")
        for path in rewrite_reports(run, out).values():
            typer.echo(path)
        return
    from fairaudit.beside import open_two, put_side_by_side
    from fairaudit.store import write

    first, second = open_two(run, other)
    content = put_side_by_side(first, second)
    assert content.versus is not None
    folder = out or other / f"versus-{first.name}"
    text = content.versus.model_dump_json(by_alias=True, indent=1) + "\n"
    written = render_reports(content, folder)
    write(folder / "versus.json", text.encode())
    if json:
        typer.echo(text, nl=False)
        return
    for sentence in (*content.versus.verdicts, *content.versus.notes):
        typer.echo(sentence)
    for path in (folder / "versus.json", *written.values()):
        typer.echo(path)
