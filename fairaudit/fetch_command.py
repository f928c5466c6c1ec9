"""The command `fairaudit fetch`: bring weights that are not in the package."""

from __future__ import annotations

from typing import Annotated

import typer

from fairaudit.offline import Offline

HUB_PREFIX = "hf:"


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to download: a name of the list that the command prints without one, or hf:ORG/MODEL "
            "for a model of the Hugging Face hub (hf:ORG/MODEL@REVISION).",
            show_default=False,
        ),
    ] = None,
    *,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
    offline: Offline = False,
) -> None:
    """Download weights that are not in the package, checked by sha256; without a name, list them."""
    from fairaudit.fetching import check_name, fetch_asset, fetch_repository
    from fairaudit.progress import download_bar

    if not names:
        _show()
    for name in names or ():
        if not name.startswith(HUB_PREFIX):
            check_name(name)
    for name in names or ():
        if name.startswith(HUB_PREFIX):
            typer.echo(fetch_repository(name.removeprefix(HUB_PREFIX)))
            continue
        with download_bar(name, visible=not quiet) as watch:
            path = fetch_asset(name, watch)
        typer.echo(path)


def _show() -> None:
    from rich.console import Console
    from rich.table import Table

    from fairaudit.fetching import ASSETS, find_asset

    table = Table(box=None, pad_edge=False)
    for column in ("name", "size", "here", "licence", "what it is"):
        table.add_column(column, overflow="fold")
    for name, asset in ASSETS.items():
        table.add_row(name, asset.size, "yes" if find_asset(name) else "no", asset.licence, asset.about)
    Console().print(table)
