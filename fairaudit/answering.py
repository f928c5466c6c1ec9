"""What commands answer that make no run: shown to people, printed for programs, kept in a file."""

from __future__ import annotations

from collections.abc import Callable
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

AnswerFile = Annotated[
    Path | None, typer.Option("--out", help="File for what --json prints.", show_default=False)
]


def answer(content: Any, show: Callable[[], None], *, json: bool, out: Path | None) -> None:
    """Give an answer in every form that is wanted.

    Parameters
    ----------
    content
        What JSON says of it.
    show
        Prints it for people.
    out
        Where it is kept as JSON; nowhere if None.
    """
    text = dumps(content, indent=1, ensure_ascii=False)
    if out is not None:
        from fairaudit.store import write

        write(out, f"{text}\n".encode())
    if json:
        typer.echo(text)
    else:
        show()
