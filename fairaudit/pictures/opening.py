"""Which kind of collection a name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fairaudit.errors import ImageError, UsageError
from fairaudit.pictures.collection import SUFFIXES, Collection, hidden
from fairaudit.pictures.places import File, Place, is_url, open_place, read_file, without_query
from fairaudit.pictures.tarred import ENDINGS, ShardCollection, TarCollection, is_tar
from fairaudit.plan import AuditPlan

_PLAN = 16 * 2**20
_ARCHIVES = (".zip", *ENDINGS)


def is_pictures(name: str) -> bool:
    """Whether a source is pictures that are there already, rather than a model or a table of labels."""
    lower = without_query(name).lower()
    if is_url(name):
        return not (lower.endswith(".csv") or (lower.endswith(".parquet") and not holds_pictures(name)))
    path = Path(name)
    if path.is_dir():
        return not (path / "model_index.json").exists()
    if lower.endswith(".parquet"):
        return path.is_file() and holds_pictures(name)
    return lower.endswith(_ARCHIVES)


def holds_pictures(name: str) -> bool:
    """Whether a Parquet file has a column of pictures."""
    import pyarrow.parquet as pq

    from fairaudit.pictures.parquet import image_column

    try:
        with open_place(name).open() as file:
            return image_column(pq.read_schema(file)) is not None
    except (OSError, ValueError):
        return False  # what it is, its reader says


def open_pictures(name: str, exclude: Path | None = None) -> Collection:
    """The pictures of a folder, zip or tar archive, Parquet file or run, by path or fsspec URL.

    Parameters
    ----------
    exclude
        A folder below it that is left out, such as the run's own.

    Raises
    ------
    ImageError
        If it is missing, broken, or holds no pictures.
    """
    place, lower = open_place(name, exclude), without_query(name).lower()
    try:
        if place.is_folder():
            return _open_folder(place)
        if not place.exists():
            raise ImageError(f"{name} does not exist")
        if lower.endswith(".zip"):
            from fairaudit.pictures.zipped import ZipCollection

            return ZipCollection(place)
        if is_tar(lower):
            return TarCollection(place, place.file())
        if lower.endswith(".parquet"):
            from fairaudit.pictures.parquet import ParquetCollection

            return ParquetCollection(place, [place.file()])
    except OSError as error:
        raise ImageError(f"cannot read {name}: {error.strerror or ' '.join(str(error).split())}") from error
    if lower.endswith(".csv"):
        raise UsageError(f"{name} holds no pictures: a table of labels is measured by `fairaudit audit`")
    raise UsageError(
        f"{name} is no folder of pictures, and no {', '.join(_ARCHIVES)} or .parquet file of them"
    )


def _open_folder(place: Place) -> Collection:
    from fairaudit.pictures.folder import FolderCollection
    from fairaudit.pictures.parquet import ParquetCollection

    files = list(place.files())
    if samples := _samples(place, files):
        return ParquetCollection(place, samples, run=True)
    if not any(_looks_like_picture(file.name) for file in files):
        usable = [file for file in files if file.problem is None and not hidden(file.name)]
        if tables := [file for file in usable if file.name.lower().endswith(".parquet")]:
            return ParquetCollection(place, tables)
        if any(is_tar(file.name) for file in usable):
            return ShardCollection(place, files)
    return FolderCollection(place, files)


def _samples(place: Place, files: Sequence[File]) -> list[File]:
    """The files of a run's own pictures, where a folder is a run."""
    if not any(file.name == "plan.yaml" for file in files):
        return []
    content = read_file(place, "plan.yaml", _PLAN)
    plan = AuditPlan.from_yaml(content.decode(errors="replace"), f"plan.yaml of {place.name}")
    if not plan.prompts:
        raise ImageError(
            f"{place.name} is a run without pictures of its own; name what it audits: {plan.generator}"
        )
    own = {f"samples/{sampler.key}" for sampler in plan.samplers}
    return [file for file in files if file.name.endswith(".parquet") and file.name.rpartition("/")[0] in own]


def _looks_like_picture(name: str) -> bool:
    return Path(name).suffix.lower() in SUFFIXES
