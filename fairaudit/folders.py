"""Folders that are written to: made where they can be, refused in one sentence where they cannot."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fairaudit.errors import UsageError


def make_folder(folder: Path) -> None:
    """Make a folder and those that it lies in, where they do not exist.

    Raises
    ------
    UsageError
        If there can be no such folder: what it lies in is a file, or takes no folders.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, FileExistsError, NotADirectoryError) as error:
        raise _refused(folder, error) from error


def check_writable(folder: Path) -> None:
    """Find out before long work whether its results can be written; nothing is left behind.

    Raises
    ------
    UsageError
        If nothing can be written in the folder, or in the nearest one above it that exists.
    """
    there = next(one for one in (folder, *folder.parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise _refused(folder, error) from error


def _refused(folder: Path, error: OSError) -> UsageError:
    reason = os.strerror(error.errno or 0).lower()
    return UsageError(f"cannot write in the folder {folder}: {reason}; name another place with --out")
