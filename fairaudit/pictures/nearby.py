"""Random reads of what can only be gone through in order."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

KEPT = 128
KEPT_BYTES = 256 * 2**20
"""What was gone past is kept up to here, because threads ask a little out of order."""


class Nearby:
    """Items by number, of a stream that is read forward.

    A request further on reads up to it; one for an item that is no longer kept begins again.

    Parameters
    ----------
    begin
        Yields (number, item) from any number up to the one given on, in order.
    far
        A request so many items further on begins there, rather than reading all between.
    """

    def __init__(self, begin: Callable[[int], Iterator[tuple[int, bytes]]], far: int | None = None) -> None:
        self._begin, self._far = begin, far
        self._stream: Iterator[tuple[int, bytes]] | None = None
        self._next = 0
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __call__(self, number: int) -> bytes:
        """One item.

        Raises
        ------
        EOFError
            If the stream ends before it.
        """
        with self._lock:
            if number in self._kept:
                return self._kept[number]
            passed = number < self._next
            if self._stream is None or passed or (self._far and number - self._next > self._far):
                self._stream = self._begin(number)
            try:
                return self._forward(number)
            except BaseException:
                self._stream = None  # a stream that raised is at its end
                raise

    def _forward(self, number: int) -> bytes:
        assert self._stream is not None, "begun just before"
        for at, item in self._stream:
            self._next = at + 1
            self._keep(at, item)
            if at == number:
                return item
        raise EOFError("it ends early")

    def _keep(self, number: int, item: bytes) -> None:
        self._bytes += len(item) - len(self._kept.pop(number, b""))
        self._kept[number] = item
        while len(self._kept) > KEPT or (self._bytes > KEPT_BYTES and len(self._kept) > 1):
            self._bytes -= len(self._kept.popitem(last=False)[1])
