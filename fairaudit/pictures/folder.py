"""A folder of pictures."""

from __future__ import annotations

from collections.abc import Iterable

from fairaudit.errors import ImageError, UsageError
from fairaudit.pictures.captions import METADATA, folder_prompts, metadata_prompts
from fairaudit.pictures.collection import MAX_BYTES, Found, Listing, hidden, why_no_picture
from fairaudit.pictures.places import File, Place, read_file


class FolderCollection:
    """The pictures below a folder, in the order of their paths.

    Prompts come from ``metadata.csv`` or ``metadata.jsonl`` where there is one with a column ``prompt``,
    ``text`` or ``caption``, else from sub-folders, see `folder_prompts`. A flat folder has no prompts.
    """

    def __init__(self, place: Place, files: Iterable[File]) -> None:
        self.name, self._place = place.name, place
        listing = Listing(place.name)
        kept, metadata = [], {}
        for file in files:
            base = file.name.rpartition("/")[2]
            if file.problem is not None:
                listing.skip(file.name, file.problem)
            elif hidden(file.name):
                listing.skip(file.name, "hidden file")
            elif base in METADATA:
                metadata[file.name] = self._metadata(file)
            elif reason := why_no_picture(file.name, file.size):
                listing.skip(file.name, reason)
            else:
                kept.append(file)
        prompts = merged([found for found in metadata.values() if found is not None])
        if prompts is None:
            prompts = folder_prompts([file.name for file in kept])
        listing.keep(Found(file.name, file.mark, prompts.get(file.name)) for file in kept)
        self.entries, self.skipped, self.fingerprint = listing.entries(), listing.skipped, listing.fingerprint

    def _metadata(self, file: File) -> dict[str, str] | None:
        try:
            return metadata_prompts(file.name, read_file(self._place, file.name, MAX_BYTES))
        except ImageError as error:
            raise UsageError(f"cannot read {file.name} of {self.name}: {error}") from error

    def read(self, name: str) -> bytes:
        """The file of a picture."""
        return read_file(self._place, name, MAX_BYTES)


def merged(parts: list[dict[str, str]]) -> dict[str, str] | None:
    """The prompts of several metadata files; None where there is none."""
    return {name: prompt for part in parts for name, prompt in part.items()} if parts else None
