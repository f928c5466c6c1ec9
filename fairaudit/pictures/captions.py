"""Prompts of pictures from what lies beside them: metadata, captions, names of folders."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import PurePosixPath

from fairaudit.errors import UsageError

PROMPTS = ("prompt", "text", "caption")
"""What a column or field with the prompt may be called; the first one there counts."""

METADATA = ("metadata.csv", "metadata.jsonl")
CAPTIONS = (".txt", ".json")
"""Endings of captions beside the pictures of a webdataset; the first one there counts."""

MAX_CAPTION = 64 * 1024
"""Longer texts are no prompts."""

SPLITS = frozenset(
    ("train", "training", "validation", "valid", "val", "dev", "test", "testing", "eval", "evaluation")
)
"""Folders that Hugging Face takes as parts of a data set: they are no prompts."""


def field_of(names: Sequence[str]) -> str | None:
    """Which of some columns or fields holds the prompt."""
    return next((name for name in PROMPTS if name in names), None)


def metadata_prompts(name: str, content: bytes, where: str) -> dict[str, str] | None:
    """Prompts by file, of a metadata file as Hugging Face's imagefolder has it.

    Parameters
    ----------
    name
        Of the metadata file; its pictures are named relative to it.
    where
        The collection that it is of.

    Returns
    -------
    None where the file says nothing about prompts. A row that names several pictures gives all its prompt.

    Raises
    ------
    UsageError
        If it is no such file.
    """
    try:
        text = content.decode("utf-8-sig")
        rows = (
            _csv(text)
            if name.endswith(".csv")
            else [json.loads(line) for line in text.split("\n") if line.strip()]
        )
        found: dict[str, str] = {}
        column = field_of([key for row in rows for key in row])
        for row in rows:
            if column is not None and row.get(column):
                for file in _files(row):
                    found[str(PurePosixPath(name).parent / file)] = sys.intern(str(row[column]))
    except (ValueError, KeyError, AttributeError, TypeError, csv.Error, RecursionError) as error:
        raise UsageError(
            f"{name} of {where} is no metadata of pictures: it needs the column file_name, and prompt, "
            f"text or caption ({type(error).__name__}: {' '.join(str(error).split())[:120]})"
        ) from error
    return found if column is not None else None


def folder_prompts(names: Sequence[str]) -> dict[str, str]:
    """The sub-folder of every picture as its prompt.

    Sub-folders are prompts where every picture lies in exactly one level of them and there are several;
    they say nothing where pictures lie beside them or deeper. A folder around all, as archives have it,
    and `SPLITS` around the sub-folders are looked through.
    """
    parents = {name: name.rpartition("/")[0] for name in names}
    folders = {parent: parent.split("/") if parent else [] for parent in set(parents.values())}
    levels = zip(*folders.values(), strict=False)
    around = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
    inner = {parent: parts[around:] for parent, parts in folders.items()}
    if all(parts and parts[0] in SPLITS for parts in inner.values()):
        inner = {parent: parts[1:] for parent, parts in inner.items()}
    prompts = {parent: "/".join(parts) for parent, parts in inner.items()}
    if len(set(prompts.values())) < 2 or any(len(parts) != 1 for parts in inner.values()):
        return {}
    return {name: prompts[parent] for name, parent in parents.items()}


def beside(names: Sequence[str], texts: Mapping[str, bytes]) -> dict[str, str]:
    """The caption beside every picture, which has its name but for the ending."""
    captions = {name: _caption(name.rpartition(".")[0], texts) for name in names}
    return {name: caption for name, caption in captions.items() if caption}


def _caption(stem: str, texts: Mapping[str, bytes]) -> str | None:
    for ending in CAPTIONS:
        content = texts.get(stem + ending)
        if content is None:
            continue
        try:
            text = content.decode()
            caption = text if ending == ".txt" else _field(json.loads(text))
        except (ValueError, RecursionError):
            continue
        if caption and caption.strip():
            return caption.strip()
    return None


def _field(content: object) -> str | None:
    if not isinstance(content, dict):
        return None
    name = field_of(list(content))
    return None if name is None or content[name] is None else str(content[name])


def _files(row: Mapping[str, object]) -> list[str]:
    """The pictures of a row: ``file_name``, ``SOMETHING_file_name``, or lists of them, ``file_names``."""
    found: list[str] = []
    for key, cell in row.items():
        if re.fullmatch(r"(.+_)?file_names?", str(key)) and cell:
            found += map(str, cell if isinstance(cell, list) else [cell])
    if not found:
        raise KeyError("file_name")
    return found


def _csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))
