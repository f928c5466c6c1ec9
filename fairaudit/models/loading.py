"""Reading pipelines from folders and from the Hugging Face hub."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairaudit.errors import ModelError

if TYPE_CHECKING:
    import torch

INDEX = "model_index.json"
"""The file that says which pipeline a folder holds, and of which parts."""

LEFT_OUT = ("safety_checker", "feature_extractor", "image_encoder")
"""Parts that take no part in making images from prompts."""


def load_pipeline(source: str, kind: str, dtype: torch.dtype) -> Any:
    """A diffusers pipeline of a class, from safetensors only.

    Raises
    ------
    ModelError
        In one sentence, whatever fails.
    """
    with quiet():
        import diffusers

        known = getattr(diffusers, kind)
        expected, optional = known._get_signature_keys(known)
        present = parts_of(read_index(source))
        # What is left out, here or by who saved the pipeline (SD3 without T5), must be said to be None.
        unused: dict[str, Any] = {name: None for name in expected if name not in present}
        if "requires_safety_checker" in optional:
            unused["requires_safety_checker"] = False
        try:
            name, revision = located(source)
            return known.from_pretrained(name, revision=revision, dtype=dtype, use_safetensors=True, **unused)
        except Exception as error:  # diffusers raises many kinds; the user needs one sentence
            raise explain(source, error) from error


def read_index(source: str) -> Mapping[str, Any]:
    """What `model_index.json` of a folder or hub id says.

    Raises
    ------
    ModelError
        If there is none, or it names no pipeline.
    """
    path = find_file(source, INDEX)
    if path is None:
        raise ModelError(f"{source} is not the folder of a diffusers pipeline: {INDEX} missing")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict) or "_class_name" not in content:
        raise ModelError(f"{path} names no class of diffusers' pipelines")
    return content


def find_file(source: str, name: str) -> Path | None:
    """A file of a pipeline; None where it has none of that name.

    Raises
    ------
    ModelError
        If the hub cannot be asked.
    """
    if Path(source).is_dir():
        path = Path(source) / name
        return path if path.is_file() else None
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    repository, revision = located(source)
    try:
        return Path(hf_hub_download(repository, name, revision=revision))
    except LocalEntryNotFoundError as error:
        if name != INDEX and isinstance(try_to_load_from_cache(repository, INDEX, revision=revision), str):
            return None  # no network, and the copy that is here came without this file
        raise explain(source, error) from error
    except EntryNotFoundError:
        return None
    except Exception as error:  # the network, the hub, or the cache
        raise explain(source, error) from error


def located(source: str) -> tuple[str, str | None]:
    """The folder or hub id of a model, and the revision that `org/model@revision` names.

    A folder is itself, whatever its name.
    """
    repository, _, revision = source.partition("@")
    if not revision or Path(source).is_dir():
        return source, None
    return repository, revision


def revision_of(source: str, file: str = INDEX) -> str | None:
    """The commit of what the hub's client keeps of a model; None where the place of `file` does not say."""
    path = find_file(source, file)
    return path.parent.name if path is not None and path.parent.parent.name == "snapshots" else None


def parts_of(index: Mapping[str, Any]) -> tuple[str, ...]:
    """The folders that a pipeline consists of, by its `model_index.json`."""
    return tuple(
        name
        for name, entry in index.items()
        if isinstance(entry, list) and None not in entry and name not in LEFT_OUT
    )


def networks_of(pipeline: Any) -> list[torch.nn.Module]:
    """The parts of a pipeline that have weights."""
    from torch.nn import Module

    return [part for part in pipeline.components.values() if isinstance(part, Module)]


def explain(source: str, error: Exception) -> ModelError:
    """The one sentence for what diffusers or the hub raised."""
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if Path(source).is_dir():
        return ModelError(f"cannot load the model in {source}: {reason}")
    cache = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return ModelError(
        f"there is no folder {source}, and the Hugging Face hub does not give {source!r} ({reason}); "
        f"where there is a network, run `fairaudit fetch hf:{source}`, then copy {cache} here, "
        "or pass the path of a folder that holds it"
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars and advice that diffusers, transformers and the hub print while loading."""
    import diffusers
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
