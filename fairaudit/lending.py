"""Tools that threads share although only one may use a tool at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Tool = TypeVar("Tool")


class Lender(Generic[Tool]):
    """Lends tools; makes as many as are out at once, however many threads come and go."""

    def __init__(self, make: Callable[[], Tool]) -> None:
        self.make = make
        self.free: SimpleQueue[Tool] = SimpleQueue()

    @contextmanager
    def lend(self) -> Iterator[Tool]:
        """One for as long as the block lasts."""
        try:
            tool = self.free.get_nowait()
        except Empty:
            tool = self.make()
        try:
            yield tool
        finally:
            self.free.put(tool)
