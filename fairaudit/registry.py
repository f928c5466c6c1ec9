"""Names to objects: samplers, classifiers, extractors and report formats, first-party and third-party alike.

Everything is found through entry points, so a new one is a file and a line in pyproject.toml, here
or in any other distribution. Nothing is imported until it is asked for.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from fairaudit.errors import UsageError, unknown

Kind = Literal["samplers", "classifiers", "detectors", "extractors", "reports"]


def names(kind: Kind) -> list[str]:
    """The registered names of a kind, sorted."""
    return sorted(_found(kind))


def load(kind: Kind, name: str) -> Any:
    """The object registered under a name; `UsageError` with the near matches if there is none."""
    found = _found(kind)
    if name not in found:
        raise unknown(kind.removesuffix("s"), name, found)
    return found[name].load()


def resolve(kind: Kind, name: str) -> tuple[Any, str]:
    """The object that a name stands for, and the rest of the name.

    An entry that ends in a colon stands for all names that begin with it: `hf:` for `hf:org/model`.

    Raises
    ------
    UsageError
        If nothing is registered that the name can stand for, or nothing follows the colon.
    """
    found = _found(kind)
    if name.endswith(":") and name in found:
        raise UsageError(f"{name} is how names begin: say what follows the colon (see fairaudit list {kind})")
    prefix, colon, rest = name.partition(":")
    if name not in found and colon and rest and f"{prefix}:" in found:
        return load(kind, f"{prefix}:"), rest
    return load(kind, name), ""


def _found(kind: Kind) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"fairaudit.{kind}")}
