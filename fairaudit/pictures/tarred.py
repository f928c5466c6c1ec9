"""Tar archives of pictures, compressed or not: read in place, never extracted."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from fairaudit.errors import ImageError
from fairaudit.pictures.captions import CAPTIONS, METADATA, beside, folder_prompts, metadata_prompts
from fairaudit.pictures.collection import (
    MAX_BYTES,
    SIGNATURES,
    Found,
    Listing,
    apart,
    hidden,
    printable,
    read_picture,
    why_no_picture,
)
from fairaudit.pictures.folder import merged
from fairaudit.pictures.nearby import Nearby
from fairaudit.pictures.places import File, Place

ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_TEXT = 64 * 1024
"""Longer captions are none."""
_BROKEN = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)


@dataclass(frozen=True, slots=True)
class _Member:
    number: int
    begin: int
    size: int


class TarCollection:
    """The pictures of a tar archive in its own order.

    Prompts come from captions beside the pictures, as a webdataset has them: ``0001.txt``, or a field
    ``prompt``, ``text`` or ``caption`` of ``0001.json``, belongs to ``0001.png``. Without any, they
    come from where those of a folder do.

    Parameters
    ----------
    file
        A file below the place; one that is called "" is the place itself.
    """

    def __init__(self, place: Place, file: File) -> None:
        self.name, self._place, self._file = _name_of(place, file), place, file.name
        self._members: dict[str, _Member] = {}
        self._texts: dict[str, bytes] = {}
        listing = Listing(self.name)
        try:
            self._scan(listing)
        except _BROKEN as error:
            raise ImageError(f"{self.name} is a broken tar archive ({_brief(error)})") from error
        prompts, mark = self._prompts(listing), file.mark
        self._texts.clear()
        listing.keep(
            Found(name, f"{member.size}\0{mark}", prompts.get(name)) for name, member in self._members.items()
        )
        self.entries, self.skipped, self.fingerprint = listing.entries(), listing.skipped, listing.fingerprint
        self._order = [self._members[entry.name] for entry in self.entries]
        self._members.clear()
        self._numbers = {entry.name: number for number, entry in enumerate(self.entries)}
        self._nearby = Nearby(self._from)

    def _scan(self, listing: Listing) -> None:
        with self._place.open(self._file) as file, tarfile.open(fileobj=file, mode="r:*") as archive:
            kept: Any = archive
            while (member := archive.next()) is not None:
                kept.members = []  # it would keep all that it knows of every member
                if not member.isdir():
                    self._take(archive, member, listing)

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo, listing: Listing) -> None:
        name = member.name.removeprefix("./")
        text = name.endswith(CAPTIONS) or name.rpartition("/")[2] in METADATA
        limit = MAX_BYTES if name.rpartition("/")[2] in METADATA else _TEXT
        if hidden(name):
            listing.skip(name, "hidden file")
        elif not member.isreg() or member.issparse():
            listing.skip(name, "not a regular file")
        elif text and member.size <= limit:
            found = archive.extractfile(member)
            self._texts[name] = found.read(limit) if found else b""
        elif reason := why_no_picture(name, member.size):
            listing.skip(name, reason)
        elif name in self._members:
            listing.skip(name, "the same name twice")
        else:
            self._members[name] = _Member(len(self._members), member.offset_data, member.size)

    def _prompts(self, listing: Listing) -> dict[str, str]:
        names = list(self._members)
        metadata = {name: text for name, text in self._texts.items() if name.rpartition("/")[2] in METADATA}
        stems = {name.rpartition(".")[0] for name in names}
        for name in self._texts.keys() - metadata.keys():
            if name.rpartition(".")[0] not in stems:
                listing.skip(name, "not an image file")
        found = {name: metadata_prompts(name, text, self.name) for name, text in metadata.items()}
        said = merged(found, names, listing)
        if said is not None:
            return said
        return beside(names, self._texts) or folder_prompts(names)

    def _from(self, number: int) -> Iterator[tuple[int, bytes]]:
        """The pictures from one on. Of a compressed archive all before it is gone through."""
        with self._place.open(self._file) as file, tarfile.open(fileobj=file, mode="r:*") as archive:
            content: Any = archive.fileobj
            for later, member in enumerate(self._order[number:], start=number):
                yield later, _picture(content, member)

    def read(self, name: str) -> bytes:
        """The file of a picture."""
        try:
            return self._nearby(self._numbers[name])
        except _BROKEN as error:
            raise ImageError(f"broken ({_brief(error)})") from error


class ShardCollection:
    """The pictures of all tar archives below a folder, the shards of a webdataset, one after the other.

    A picture has its own name if none before it has the same, else the archive's name comes first.

    Parameters
    ----------
    files
        What lies below the place: archives, and what is skipped.
    """

    def __init__(self, place: Place, files: Iterable[File]) -> None:
        self.name = place.name
        self._where: dict[str, tuple[TarCollection, str]] = {}
        listing = Listing(place.name)
        found: list[Found] = []
        for file in files:
            if reason := file.problem or ("hidden file" if hidden(file.name) else None):
                listing.skip(file.name, reason)
            elif not is_tar(file.name):
                listing.skip(file.name, "not an image file")
            else:
                found += self._shard(place, file, listing)
        listing.keep(found)
        self.entries, self.skipped, self.fingerprint = listing.entries(), listing.skipped, listing.fingerprint

    def _shard(self, place: Place, file: File, listing: Listing) -> Iterator[Found]:
        try:
            shard = TarCollection(place, file)
        except ImageError as error:
            reason = str(error).removeprefix(f"{_name_of(place, file)} ").removeprefix("is a ")
            listing.skip(file.name, reason)
            return
        for name, reason in shard.skipped.items():
            listing.skip(f"{file.name}/{name}", reason)
        mark = str(shard.fingerprint()["sha256"])
        for entry in shard.entries:
            taken = entry.name in self._where
            name = apart(f"{file.name}/{entry.name}", self._where) if taken else entry.name
            self._where[name] = (shard, entry.name)
            yield Found(name, mark, entry.prompt)

    def read(self, name: str) -> bytes:
        """The file of a picture."""
        shard, own = self._where[name]
        return shard.read(own)


def is_tar(name: str) -> bool:
    """Whether a file is a tar archive by its name."""
    return name.lower().endswith(ENDINGS)


def _name_of(place: Place, file: File) -> str:
    return f"{place.name.rstrip('/')}/{file.name}" if file.name else place.name


def _picture(content: BinaryIO, member: _Member) -> bytes:
    content.seek(member.begin)
    found = read_picture(content, member.size)
    if len(found) < member.size and found.startswith(SIGNATURES):
        raise EOFError("it ends early")
    return found


def _brief(error: Exception) -> str:
    return printable(" ".join(str(error).split())) or type(error).__name__
