"""The command `fairaudit fetch`: bring weights that are not in the package."""

from __future__ import annotations

from json import dumps
from pathlib import Path
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
    json: Annotated[
        bool,
        typer.Option("--json", help="Print where each is, or what there is, as JSON and nothing else."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
    offline: Offline = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for what is downloaded, to be carried elsewhere. [default: the caches, where audits "
            "look]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Download weights that are not in the package, checked by sha256; without a name, list them."""
    from fairaudit.fetching import check_name

    if not names:
        _show(json=json)
        return
    for name in names:
        if not name.startswith((HUB_PREFIX, *ADDRESS)):
            check_name(name)
    paths = {}
    for name in names:
        paths[name] = str(_fetched(name, sha256, out, quiet=quiet))
        if not json:
            typer.echo(paths[name])
    if json:
        typer.echo(dumps(paths, indent=1, ensure_ascii=False))


def _fetched(name: str, sha256: str | None, out: Path | None, *, quiet: bool) -> Path:
    """Where a file or model is, once it is here."""
    from fairaudit.fetching import ASSETS, address_asset, fetch_file, fetch_repository
    from fairaudit.progress import download_bar

    if name.startswith(HUB_PREFIX):
        return fetch_repository(name.removeprefix(HUB_PREFIX), out)
    asset = address_asset(name, sha256) if name.startswith(ADDRESS) else ASSETS[name]
    with download_bar(asset.file, visible=not quiet) as watch:
        return fetch_file(asset, watch, out)


def _show(*, json: bool) -> None:
    """What there is to fetch, and whether it is here."""
    from rich.console import Console
    from rich.table import Table

    from fairaudit.fetching import ASSETS, find_asset

    if json:
        known = {
            name: {"size": a.size, "here": bool(find_asset(name)), "licence": a.licence, "about": a.about}
            for name, a in ASSETS.items()
        }
        typer.echo(dumps(known, indent=1, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("name", "size", "here", "licence", "what it is"):
        table.add_column(column, overflow="fold")
    for name, asset in ASSETS.items():
        table.add_row(name, asset.size, "yes" if find_asset(name) else "no", asset.licence, asset.about)
    Console().print(table)
