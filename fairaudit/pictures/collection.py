"""The contract of a collection of pictures, and what all kinds of it have in common."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import IO, Protocol

from fairaudit.errors import ImageError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

MAX_BYTES = 64 * 2**20
"""Larger files are not read: an archive can claim that a member fills the memory, and many are held at
once."""

SIGNATURES = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"BM", b"GIF8"),
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
)
"""What the files begin with that `decode` decodes."""

NAMED = 100
"""Skipped files that results name for each kind of reason; all are counted."""
MOST_NAMED = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture of a collection.

    Attributes
    ----------
    name
        By which the collection reads it; unique in it, and never used as a path.
    index
        Number among the pictures of its prompt and sampler. In a run, pictures of equal prompt and
        index were made from the same noise.
    """

    name: str
    prompt: str | None = None
    sampler: str | None = None
    index: int = 0


class Collection(Protocol):
    """Pictures that are there already.

    Attributes
    ----------
    entries
        Its pictures, always in the same order. Either all have a prompt or none, and so with samplers.
    skipped
        What is in it and is no picture, by name, with the reason.
    """

    @property
    def name(self) -> str: ...

    @property
    def entries(self) -> Sequence[Entry]: ...

    @property
    def skipped(self) -> Mapping[str, str]: ...

    def fingerprint(self) -> dict[str, str | int]:
        """What it holds: number of pictures, and a digest of their names, marks and prompts.

        A run goes on only where this is as before. Files are known by their size and the time of
        their last change, members of a zip by their checksum: copies that were given another time
        count as other pictures, and need a new run.
        """

    def read(self, name: str) -> bytes:
        """The file of a picture; may be called from several threads.

        Raises
        ------
        ImageError
            If it cannot be read; the message is the reason alone.
        """


@dataclass(frozen=True, slots=True)
class Found:
    """Something in a collection that may be a picture.

    Attributes
    ----------
    mark
        What tells whether its content is still the same: its size, and a checksum or the time of the
        last change of its file.
    """

    name: str
    mark: str
    prompt: str | None = None
    sampler: str | None = None
    index: int | None = None


@dataclass
class Listing:
    """The pictures of a collection, and what is no picture of it, while it is looked through."""

    name: str
    found: list[Found] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    _fingerprint: dict[str, str | int] = field(default_factory=dict, init=False)

    def skip(self, name: str, reason: str) -> None:
        """Count something that is no picture; what has the same name as another is told apart."""
        self.skipped[apart(printable(name), self.skipped)] = reason

    def keep(self, found: Iterable[Found]) -> None:
        """Take what is found as pictures, unless others have a prompt and it has none."""
        some = list(found)
        prompted = any(one.prompt for one in some)
        for one in some:
            if prompted and not one.prompt:
                self.skip(one.name, "without a prompt, unlike others")
            else:
                self.found.append(one)

    def entries(self) -> list[Entry]:
        """The pictures, numbered within their prompt and sampler where they bring no number.

        What was found is let go: of a hundred thousand files only their names stay in memory.

        Raises
        ------
        ImageError
            If there is none.
        """
        if not self.found:
            raise ImageError(f"{printable(self.name)} holds no images {_why(self.skipped)}")
        numbers: Counter[tuple[str | None, str | None]] = Counter()
        entries, digest = [], hashlib.sha256()
        for one in self.found:
            digest.update(f"{one.name}\0{one.mark}\0{one.prompt or ''}\0{one.sampler or ''}\n".encode())
            group = (one.sampler, one.prompt)
            index = numbers[group] if one.index is None else one.index
            numbers[group] += 1
            entries.append(Entry(one.name, one.prompt, one.sampler, index))
        self._fingerprint = {"images": len(entries), "sha256": digest.hexdigest()}
        self.found.clear()
        return entries

    def fingerprint(self) -> dict[str, str | int]:
        """Number of `entries`, and a digest of what they are called, their marks and what they ask for."""
        return dict(self._fingerprint)


def apart(name: str, taken: Container[str]) -> str:
    """A name that is not taken yet: the name itself, or with a number."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name} ({number})"
    return found


def add_skipped(skipped: dict[str, str], where: str, others: Iterable[tuple[str, str]]) -> None:
    """Add names with reasons to those of another place, whose names may be the same, and lose none."""
    for name, reason in others:
        skipped[apart(f"{where}: {name}" if name in skipped else name, skipped)] = reason


def why_no_picture(name: str, size: int) -> str | None:
    """What keeps a file from being taken as a picture, judged by its name and size (bytes)."""
    if not is_text(name):
        return "not a readable file name or link"
    if PurePosixPath(name).suffix.lower() not in SUFFIXES:
        return "not an image file"
    if size == 0:
        return "empty file"
    if size > MAX_BYTES:
        return f"too large ({size // 2**20} MiB)"
    return None


def read_picture(file: IO[bytes], size: int) -> bytes:
    """Up to `size` bytes of a file that begins as a picture does; of another no more than its beginning.

    A few kilobytes of an archive can stand for gigabytes of zeros.
    """
    head = file.read(16)
    return head + file.read(size - len(head)) if head.startswith(SIGNATURES) else head


def hidden(name: str) -> bool:
    """Whether a name, or a folder in it, begins with a dot."""
    return any(part.startswith(".") and part not in (".", "..") for part in name.split("/"))


def is_text(name: str) -> bool:
    """Whether a name can be written in UTF-8; on some systems and in some archives it can be any bytes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(name: str) -> str:
    """A name that can be written anywhere."""
    return name if is_text(name) else repr(name)[1:-1]


def kind_of(reason: str) -> str:
    """A reason without what it says of the single file: how large it is, or where it breaks off."""
    return reason.partition(" (")[0]


def first_of_each_kind(
    skipped: Mapping[str, str], each: int = NAMED, most: int = MOST_NAMED
) -> dict[str, str]:
    """The first few of what was skipped for each kind of reason: there may be thousands."""
    named: Counter[str] = Counter()
    first: dict[str, str] = {}
    for name, reason in skipped.items():
        kind = kind_of(reason)
        named[kind] += 1
        if named[kind] <= each and len(first) < most:
            first[name] = reason
    return first


def _why(skipped: Mapping[str, str]) -> str:
    kinds = Counter(map(kind_of, skipped.values())).most_common(3)
    looked = f"looked for {', '.join(sorted(SUFFIXES))} in it and below"
    return f"({'; '.join([looked, *(f'{kind}: {count}' for kind, count in kinds)])})"
