"""Progress bars with rate and time left, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} images/s" if speed else "", style="progress.data.speed")


class Bar:
    """One stage of the work; `advance` by images done."""

    def __init__(self, progress: Progress, name: str, total: int, done: int) -> None:
        self._progress = progress
        self._before = 0.0
        # The next round of a stage goes on in its bar.
        for task in [task for task in progress.tasks if task.description == name]:
            self._before, total = task.completed, total + int(task.total or 0)
            progress.remove_task(task.id)
        self._task = progress.add_task(name, total=total, completed=int(self._before) + done)

    def advance(self, images: float) -> None:
        """Say that so many more images are done."""
        self._progress.advance(self._task, images)

    def reach(self, images: float) -> None:
        """Say that so many images are done in all; sums of fractions drift."""
        self._progress.update(self._task, completed=self._before + images)


class Bars:
    """The stages of a run; the first one starts the display."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def stage(self, name: str, total: int, done: int = 0) -> Bar:
        """A new bar of `total` images, of which `done` were there from an earlier run."""
        self._progress.start()
        return Bar(self._progress, name, total, done)

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._progress.console.print(Text(text))


@contextmanager
def progress_bars(*, visible: bool = True) -> Iterator[Bars]:
    """Bars on standard error while the work goes on."""
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=Console(stderr=True), disable=not visible)
    try:
        yield Bars(progress)
    finally:
        if progress.tasks:
            progress.stop()


@contextmanager
def download_bar(name: str, *, visible: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error that is told how many bytes are there, and how many there will be."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not visible) as progress:
        task = progress.add_task(name, total=None)
        yield lambda there, total: progress.update(task, completed=there, total=total or None)
