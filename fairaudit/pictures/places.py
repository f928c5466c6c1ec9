"""Files by their name: a path, or a URL that fsspec knows."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from fairaudit.errors import ImageError, UsageError
from fairaudit.offline import is_offline

_STAMPS = (
    *("ETag", "etag", "CRC", "Content-MD5", "mtime"),
    *("LastModified", "last_modified", "Last-Modified", "created"),
)
"""What file systems of fsspec say of a file that changes with its content; the first one there counts."""

_URL = r"[A-Za-z][A-Za-z0-9+.-]*(::.+)?://"
_HERE = ("file", "local", "memory")
"""Where URLs lie that need no network."""


@dataclass(frozen=True, slots=True)
class File:
    """Something below a place, by its name relative to it.

    Attributes
    ----------
    size
        In bytes; -1 where its file system does not say.
    stamp
        When it was last changed, or a checksum; empty where its file system says neither.
    problem
        Why it cannot be opened.
    """

    name: str
    size: int = 0
    stamp: str = ""
    problem: str | None = None

    @property
    def mark(self) -> str:
        """What tells whether its content is still the same."""
        return f"{self.size}\0{self.stamp}"


class Place(Protocol):
    """A file or folder, here or elsewhere."""

    @property
    def name(self) -> str: ...

    def is_folder(self) -> bool:
        """Whether it holds files."""

    def exists(self) -> bool:
        """Whether there is anything."""

    def files(self) -> Iterator[File]:
        """What lies below it, at any depth, in the order of names."""

    def file(self) -> File:
        """The file itself, by the name ""."""

    def open(self, name: str = "") -> BinaryIO:
        """The file itself, or one below the folder, for reading; seekable."""


@dataclass(frozen=True)
class LocalPlace:
    """A path of this machine; `exclude` is a folder below it that is left out, such as the run's own."""

    name: str
    path: Path
    exclude: Path | None = None

    def is_folder(self) -> bool:
        return self.path.is_dir()

    def exists(self) -> bool:
        return self.path.exists()

    def files(self) -> Iterator[File]:
        excluded = None if self.exclude is None else self.exclude.resolve()
        yield from self._below(self.path, "", excluded)

    def _below(self, folder: Path, prefix: str, excluded: Path | None) -> Iterator[File]:
        try:
            children = sorted(os.scandir(folder), key=lambda child: child.name, reverse=True)
        except OSError as error:
            yield File(prefix.rstrip("/"), problem=f"not a readable folder ({error.strerror})")
            return
        while children:
            child = children.pop()  # what the system said of it is let go
            name = prefix + child.name
            if child.is_dir(follow_symlinks=False):
                if child.name.startswith("."):
                    yield File(name, problem="hidden folder")
                elif excluded is None or Path(child.path).resolve() != excluded:
                    yield from self._below(Path(child.path), name + "/", excluded)
            else:
                yield _local_file(child, name)

    def file(self) -> File:
        facts = self.path.stat()
        return File("", facts.st_size, str(facts.st_mtime_ns))

    def open(self, name: str = "") -> BinaryIO:
        return (self.path / name if name else self.path).open("rb")


def _local_file(child: os.DirEntry[str], name: str) -> File:
    try:
        facts = child.stat()
    except OSError:
        return File(name, problem="not a readable file name or link")
    if stat.S_ISDIR(facts.st_mode):
        return File(name, problem="a link to a folder")
    problem = None if stat.S_ISREG(facts.st_mode) else "not a regular file"
    return File(name, facts.st_size, str(facts.st_mtime_ns), problem)


@dataclass(frozen=True)
class RemotePlace:
    """A URL, by the file system of fsspec that it belongs to."""

    name: str
    system: Any
    path: str

    def is_folder(self) -> bool:
        return bool(_tried(self.name, self.system.isdir, self.path))

    def exists(self) -> bool:
        return bool(_tried(self.name, self.system.exists, self.path))

    def files(self) -> Iterator[File]:
        found = _tried(self.name, self.system.find, self.path, detail=True)
        root = self.path.rstrip("/") + "/"
        for path, facts in sorted(found.items()):
            yield _remote_file(path.removeprefix(root), facts)

    def file(self) -> File:
        return _remote_file("", _tried(self.name, self.system.info, self.path))

    def open(self, name: str = "") -> BinaryIO:
        path = f"{self.path.rstrip('/')}/{name}" if name else self.path
        return cast(BinaryIO, _tried(self.name, self.system.open, path, "rb"))


def _remote_file(name: str, facts: Mapping[str, Any]) -> File:
    stamp = next((str(facts[key]) for key in _STAMPS if facts.get(key)), "")
    size = facts.get("size")
    return File(name, -1 if size is None else int(size), stamp)


def is_url(name: str) -> bool:
    """Whether a name is a URL rather than a path."""
    return re.match(_URL, name) is not None


def without_query(name: str) -> str:
    """A name whose ending says the kind of the file: a signed URL goes on after it."""
    return name.partition("?")[0] if name.lower().startswith(("http://", "https://")) else name


def open_place(name: str, exclude: Path | None = None) -> Place:
    """The place that a path or URL names.

    Raises
    ------
    UsageError
        If the package for the kind of URL is missing, there is no such kind, or it takes a network that is
        not to be used.
    """
    if not is_url(name):
        return LocalPlace(name, Path(name), exclude)
    if is_offline() and name.rpartition("::")[2].partition("://")[0].lower() not in _HERE:
        raise UsageError(f"{name} is not on this machine, and the network is not to be used")
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(name)
    except ImportError as error:
        raise UsageError(
            f"cannot open {name}: {_brief(error).rstrip('.')}; the extra 'fairaudit[remote]' brings what "
            "https:// and s3:// need"
        ) from error
    except Exception as error:  # a dozen file systems raise anything
        raise UsageError(f"cannot open {name}: {_brief(error)}") from error
    if "file" in system.protocol and "::" not in name:
        return LocalPlace(name, Path(path), exclude)
    return RemotePlace(name, system, path)


def read_place(name: str) -> bytes:
    """The whole content of a file."""
    try:
        with open_place(name).open() as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"cannot read {name}: {_brief(error)}") from error


def read_file(
    place: Place, name: str, limit: int, read: Callable[[BinaryIO, int], bytes] = lambda file, n: file.read(n)
) -> bytes:
    """The content of a file below a place.

    Parameters
    ----------
    read
        Reads up to so many bytes of the file.

    Raises
    ------
    ImageError
        If it cannot be read, or is larger than `limit` (bytes); the message is the reason alone.
    """
    try:
        with place.open(name) as file:
            content = read(file, limit + 1)
    except UsageError as error:
        raise ImageError(f"not readable ({error})") from error
    except OSError as error:
        raise ImageError(f"not readable ({error.strerror or _brief(error)})") from error
    if len(content) > limit:
        raise ImageError(f"too large (more than {limit // 2**20} MiB)")
    return content


def _tried(name: str, ask: Any, *arguments: Any, **options: Any) -> Any:
    """What a file system answers; whatever it raises is one sentence."""
    try:
        return ask(*arguments, **options)
    except OSError:
        raise
    except Exception as error:  # each file system has errors of its own
        raise UsageError(f"cannot read {name}: {_brief(error)}") from error


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
