"""How many rows of a network call the memory holds, found out once in a run."""

from __future__ import annotations

import json

from fairaudit.asking import Room
from fairaudit.progress import Bars
from fairaudit.store import Run, write

FILE = "room.json"
"""Belongs to the machine, not to the plan or the results."""


def remembered_room(run: Run, rows: int, bars: Bars) -> Room:
    """Room for as many rows as the plan says, or as were left when the run's memory last ran out."""
    path = run.folder / FILE

    def note(left: int) -> None:
        write(path, (json.dumps({"rows": left}) + "\n").encode())
        bars.say(f"out of memory: network calls have {left} rows from here on, of {rows} in the plan")

    try:
        kept = int(json.loads(path.read_text())["rows"])
    except (OSError, ValueError, KeyError, TypeError):
        kept = rows  # never backed off, or not our file: the memory will tell again
    return Room(max(1, min(rows, kept)), note)
