"""What can go wrong, and the exit code that says so.

::

    FairauditError             1
      UsageError               2   a wrong argument, an unknown name, bad input
        PlanChangedError       2   the run directory belongs to another plan
        ModelError             2   a generator or classifier that cannot be loaded
        ImageError             2   no usable picture
      NotEnoughEvidenceError   4   too few images to decide what was asked
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FairauditError(Exception):
    """Base of all errors that are reported as one sentence, without a traceback."""

    exit_code = 1


class UsageError(FairauditError):
    """The user asked for something that cannot be; the message says what to do instead."""

    exit_code = 2


class PlanChangedError(UsageError):
    """The run directory was made with another plan."""


class ModelError(UsageError):
    """A generator, classifier or its weights cannot be loaded."""


class ImageError(UsageError):
    """A file or folder holds no usable picture."""


class NotEnoughEvidenceError(FairauditError):
    """Too few images to decide what was asked."""

    exit_code = 4


def reason_of(error: Exception) -> str:
    """What went wrong in one line, without the number and the path that Python puts around it.

    Examples
    --------
    >>> reason_of(FileNotFoundError(2, "No such file or directory", "prompts.txt"))
    'No such file or directory'
    >>> reason_of(ValueError("not a   number"))
    'not a number'
    """
    told = error.strerror if isinstance(error, OSError) else None
    return told or " ".join(str(error).split())


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist, with the near matches.

    Examples
    --------
    >>> str(unknown("sampler", "swiching", ["baseline", "switching"]))
    "unknown sampler 'swiching'; did you mean 'switching'? (known: baseline, switching)"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    return UsageError(f"unknown {kind} {name!r}{hint} (known: {', '.join(names)})")
