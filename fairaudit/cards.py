"""What is said of a classifier in lists, before anything of it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Make = TypeVar("Make", bound=Callable[..., object])


THE_MODELS = "that of the model"
"""Licence and size of what the user names."""


@dataclass(frozen=True)
class Card:
    """A classifier in a list.

    Parameters
    ----------
    reads
        Its attributes.
    size
        Of its weights.
    find
        Where its weights are on this machine, if they are; None where the user names them.
    get
        How they are got.
    """

    reads: str
    licence: str
    size: str
    find: Callable[[], Path | None] | None = None
    get: str = "named by the user"

    def __str__(self) -> str:
        present = "present" if self.find and self.find() else self.get
        return f"reads {self.reads}; licence: {self.licence}; size: {self.size}; weights: {present}"


def described(card: Card) -> Callable[[Make], Make]:
    """Give what makes a classifier its card."""

    def put(make: Make) -> Make:
        setattr(make, "card", card)  # noqa: B010
        return make

    return put


def card_of(make: object) -> Card | None:
    """The card of what makes a classifier, where it has one."""
    card = getattr(make, "card", None)
    return card if isinstance(card, Card) else None
