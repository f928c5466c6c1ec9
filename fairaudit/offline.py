"""Whether the network may be used: one answer for this package and the libraries below it."""

from __future__ import annotations

import os
from typing import Annotated

import typer

VARIABLE = "HF_HUB_OFFLINE"
"""What the hub's library reads, and so this package too."""


def is_offline() -> bool:
    """Whether the user has said that the network is not to be used."""
    return os.environ.get(VARIABLE, "").upper() in {"1", "ON", "YES", "TRUE"}


def _go(wanted: bool) -> bool:
    if wanted:
        # Libraries read it when they are imported, which is after the command line is.
        os.environ[VARIABLE] = "1"
    return wanted


Offline = Annotated[
    bool, typer.Option("--offline", help="Never use the network.", callback=_go, is_eager=True)
]
"""The option of every command, so that scripts can give it to all."""
