"""A folder of pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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
        names = [file.name for file in kept]
        prompts = merged(metadata, names, listing)
        if prompts is None:
            prompts = folder_prompts(names)
        listing.keep(Found(file.name, file.mark, prompts.get(file.name)) for file in kept)
        self.entries, self.skipped, self.fingerprint = listing.entries(), listing.skipped, listing.fingerprint

    def _metadata(self, file: File) -> dict[str, str] | None:
        try:
            return metadata_prompts(file.name, read_file(self._place, file.name, MAX_BYTES), self.name)
        except ImageError as error:
            raise UsageError(f"cannot read {file.name} of {self.name}: {error}") from error

    def read(self, name: str) -> bytes:
        """The file of a picture."""
        return read_file(self._place, name, MAX_BYTES, read_picture)


def merged(
    metadata: Mapping[str, dict[str, str] | None], names: Sequence[str], listing: Listing
) -> dict[str, str] | None:
    """The prompts of several metadata files, by their names; None where none says anything of prompts.

    Pictures that metadata names and that are not there count as skipped.

    Raises
    ------
    UsageError
        If none of the pictures that metadata names is there.
    """
    said = {file: found for file, found in metadata.items() if found is not None}
    if not said:
        return None
    prompts = {name: prompt for found in said.values() for name, prompt in found.items()}
    absent = prompts.keys() - set(names)
    if absent and len(absent) == len(prompts):
        raise UsageError(
            f"{', '.join(sorted(said)[:3])} of {printable(listing.name)} has prompts for none of its "
            f"pictures: {printable(min(absent))!r}, for one, is not there"
        )
    for name in sorted(absent - listing.skipped.keys()):
        listing.skip(name, "named by metadata, but not there")
    return prompts
