"""Pictures that are there already: in folders, archives, Parquet files or runs, here or elsewhere."""

from fairaudit.pictures.collection import Collection, Entry
from fairaudit.pictures.opening import is_pictures, open_pictures

__all__ = ["Collection", "Entry", "is_pictures", "open_pictures"]
