"""The command `fairaudit fetch`: bring weights that are not in the package."""

from __future__ import annotations

from typing import Annotated

import typer

from fairaudit.offline import Offline

HUB_PREFIX = "hf:"
ADDRESS = ("http://", "https://")


def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="What to download: a name of the list that the command prints without one, or hf:ORG/MODEL "
            "for a model of the Hugging Face hub (hf:ORG/MODEL@REVISION), or an address with --sha256.",
            show_default=False,
        ),
    ] = None,
    *,
    sha256: Annotated[
        str | None, typer.Option(help="What the file of an address must have.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
    offline: Offline = False,
) -> None:
    """Download weights that are not in the package, checked by sha256; without a name, list them."""
    from fairaudit.fetching import ASSETS, address_asset, check_name, fetch_file, fetch_repository
    from fairaudit.progress import download_bar

    if not names:
        _show()
    for name in names or ():
        if not name.startswith((HUB_PREFIX, *ADDRESS)):
            check_name(name)
    for name in names or ():
        if name.startswith(HUB_PREFIX):
            typer.echo(fetch_repository(name.removeprefix(HUB_PREFIX)))
            continue
        asset = address_asset(name, sha256) if name.startswith(ADDRESS) else ASSETS[name]
        with download_bar(asset.file, visible=not quiet) as watch:
            path = fetch_file(asset, watch)
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
