"""A zip archive of pictures: read in place, never extracted."""

from __future__ import annotations

import weakref
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, BinaryIO

from fairaudit.errors import ImageError, UsageError
from fairaudit.pictures.captions import METADATA, folder_prompts, metadata_prompts
from fairaudit.pictures.collection import (
    MAX_BYTES,
    Found,
    Listing,
    hidden,
    printable,
    read_picture,
    why_no_picture,
)
from fairaudit.pictures.folder import merged
from fairaudit.pictures.places import Place

ENCRYPTED = "encrypted"
_LOCKED = 0x1


class ZipCollection:
    """The pictures of a zip archive in the order of their names, with prompts as those of a folder."""

    def __init__(self, place: Place) -> None:
        self.name = place.name
        listing = Listing(place.name)
        file = place.open()
        weakref.finalize(self, file.close)
        self._archive = _opened(file, place.name)
        self._members: dict[str, zipfile.ZipInfo] = {}
        metadata: dict[str, dict[str, str] | None] = {}
        for member in sorted(self._archive.infolist(), key=lambda member: member.filename):
            name = member.filename
            if member.is_dir():
                continue
            if hidden(name):
                listing.skip(name, "hidden file")
            elif name.rpartition("/")[2] in METADATA and member.file_size <= MAX_BYTES:
                metadata[name] = self._metadata(member)
            elif reason := self._problem(member):
                listing.skip(name, reason)
            else:
                self._members[name] = member
        names = list(self._members)
        prompts = merged(metadata, names, listing)
        if prompts is None:
            prompts = folder_prompts(names)
        listing.keep(
            Found(name, f"{member.file_size}\0{member.CRC}", prompts.get(name))
            for name, member in self._members.items()
        )
        if not listing.found and ENCRYPTED in listing.skipped.values():
            raise ImageError(
                f"the pictures of {place.name} are encrypted; bring an archive without a password"
            )
        self.entries, self.skipped, self.fingerprint = listing.entries(), listing.skipped, listing.fingerprint

    def _metadata(self, member: zipfile.ZipInfo) -> dict[str, str] | None:
        try:
            content = self._content(member, lambda file, size: file.read(size))
        except ImageError as error:
            raise UsageError(f"cannot read {member.filename} of {self.name}: {error}") from error
        return metadata_prompts(member.filename, content, self.name)

    def _problem(self, member: zipfile.ZipInfo) -> str | None:
        if member.filename in self._members:
            return "the same name twice"
        return why_no_picture(member.filename, member.file_size) or (
            ENCRYPTED if member.flag_bits & _LOCKED else None
        )

    def read(self, name: str) -> bytes:
        """The file of a picture; the archive itself lets several threads read."""
        return self._content(self._members[name], read_picture)

    def _content(self, member: zipfile.ZipInfo, read: Callable[[IO[bytes], int], bytes]) -> bytes:
        try:
            with self._archive.open(member) as file:
                return read(file, MAX_BYTES)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ImageError(f"broken ({printable(str(error) or 'it ends early')})") from error
        except (OSError, RuntimeError, NotImplementedError, ValueError) as error:
            raise ImageError(f"not readable ({printable(str(error))})") from error


def _opened(file: BinaryIO, name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except Exception as error:  # hostile bytes raise anything
        raise ImageError(
            f"{name} is a broken zip archive ({' '.join(printable(str(error)).split())})"
        ) from error
