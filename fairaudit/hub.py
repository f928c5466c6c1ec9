"""Models of transformers from a hub or a folder: errors in a sentence, and what they were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairaudit.digests import sha256_of
from fairaudit.errors import ModelError
from fairaudit.models.loading import explain, located, quiet, revision_of

_SHOWN = (
    "size", "crop_size", "resample", "do_center_crop", "do_rescale", "rescale_factor", "do_normalize",
    "image_mean", "image_std", "do_pad", "size_divisor",
)  # fmt: skip


def from_hub(kind: Any, repo: str, **options: Any) -> Any:
    """Load a part of a model, a folder, `org/model` or `org/model@revision`; nothing of it can run code.

    Raises
    ------
    ModelError
        If it is not there, or is something else.
    """
    name, revision = located(repo)
    try:
        with quiet():
            return kind.from_pretrained(name, revision=revision or "main", trust_remote_code=False, **options)
    except Exception as error:  # what readers raise on broken files is anything
        raise _explained(repo, error) from error


def _explained(repo: str, error: Exception) -> ModelError:
    """The one sentence for what transformers raised, without its advice to run what a model brings."""
    reason = " ".join(str(error).split()) or type(error).__name__
    if "trust_remote_code" in reason:
        reason = "it takes code of its own, and nothing that a model brings is run"
    elif "ignore_mismatched_sizes" in reason:
        reason = "its weights have other shapes than its config.json says"
    elif "no file named model.safetensors" in reason:
        reason = "it holds no model.safetensors (pickled weights are not loaded, because they can run code)"
    elif not Path(repo).exists():
        return explain(repo, error)
    return ModelError(f"cannot load {repo}: {reason[:300]}")


def fingerprint_of(repo: str) -> Mapping[str, str]:
    """sha256 of the weights of a folder; the revision of a model on a hub."""
    folder = Path(repo)
    if folder.is_dir():
        return {path.name: sha256_of(path) for path in sorted(folder.glob("*.safetensors"))}
    return {f"{repo} revision": revision_of(repo, "config.json") or "unknown"}


def preprocessing_of(processor: Any) -> str:
    """What an image processor does, in words."""
    said = processor.to_dict()
    shown = [f"{key} {said[key]}" for key in _SHOWN if said.get(key) not in (None, False)]
    return f"{type(processor).__name__}: {', '.join(shown)}"
