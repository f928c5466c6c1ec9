"""Digests: where every seed, identity and checksum comes from."""

from __future__ import annotations

import hashlib
from pathlib import Path


def seed_of(*parts: object) -> int:
    """A 63-bit seed from blake2b over the parts, the same on every machine and in every process.

    Parts are told apart by their length, so ``("a", "bc")`` and ``("ab", "c")`` differ.
    """
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        text = str(part).encode()
        digest.update(len(text).to_bytes(8, "little") + text)
    return int.from_bytes(digest.digest(), "little") >> 1


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
