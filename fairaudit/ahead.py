"""Stored pictures, decoded ahead of the networks that see them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.pictures.decoding import decode

Fetch = Callable[[str], bytes]
"""The file of a picture that lies outside the run, by its stored name."""

AHEAD = 1
"""Units whose pictures are decoded while the networks see another."""

Work = TypeVar("Work")
Look = TypeVar("Look")


def look_ahead(
    work: Sequence[Work],
    samples_of: Callable[[Work], pd.DataFrame],
    look: Callable[[Work, Mapping[str, Any]], Look],
) -> Iterator[tuple[Work, pd.DataFrame, list[Look]]]:
    """Every piece of work with its samples, and what `look` says of each stored image, in order."""
    waiting: deque[tuple[Work, pd.DataFrame, list[Future[Look]]]] = deque()
    pool = ThreadPoolExecutor(threads())
    try:
        for one in work:
            samples = samples_of(one)
            waiting.append((one, samples, [pool.submit(look, one, image) for image in samples["image"]]))
            if len(waiting) > AHEAD:
                yield _finished(*waiting.popleft())
        while waiting:
            yield _finished(*waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _finished(
    one: Work, samples: pd.DataFrame, looks: Sequence[Future[Look]]
) -> tuple[Work, pd.DataFrame, list[Look]]:
    return one, samples, [look.result() for look in looks]


def threads() -> int:
    """Decoding leaves Python's lock, so every core takes part; two more wait for files."""
    return min(16, (os.cpu_count() or 1) + 2)


def picture_of(image: Mapping[str, Any], fetch: Fetch | None) -> NDArray[np.uint8]:
    """The picture (h, w, 3) of a stored ``{"bytes", "path"}``.

    Raises
    ------
    ImageError
        If the file is no usable picture.
    """
    encoded = image["bytes"]
    if not isinstance(encoded, bytes):
        assert fetch is not None, "only pictures outside the run are stored as paths"
        encoded = fetch(str(image["path"]))
    return decode(encoded)
