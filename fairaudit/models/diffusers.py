"""Pipelines of diffusers, local or from the hub, as denoisers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch

from fairaudit.digests import sha256_of
from fairaudit.errors import ModelError
from fairaudit.models.execution import PLAIN, Execution
from fairaudit.models.families.base import Family
from fairaudit.models.families.dit import DiT
from fairaudit.models.families.flow import Flux, StableDiffusion3
from fairaudit.models.families.pixels import DDIM, DDPM, NAMES
from fairaudit.models.families.stable_diffusion import StableDiffusion
from fairaudit.models.families.stable_diffusion_xl import StableDiffusionXL
from fairaudit.models.loading import INDEX, find_file, parts_of, quiet, read_index, revision_of
from fairaudit.models.schedulers import SCHEDULERS, is_stochastic

__all__ = [
    "FAMILIES",
    "SCHEDULERS",
    "StableDiffusion",
    "defaults",
    "family_of",
    "fingerprint",
    "is_stochastic",
    "load",
    "quiet",
]

_KNOWN: tuple[type[Family], ...] = (
    StableDiffusion,
    StableDiffusionXL,
    StableDiffusion3,
    Flux,
    DiT,
    DDPM,
    DDIM,
)
FAMILIES: Mapping[str, type[Family]] = {family.kind: family for family in _KNOWN}
"""The classes of diffusers' pipelines that can be sampled."""


def family_of(source: str) -> type[Family]:
    """The family of a pipeline folder or hub id, by its `model_index.json`.

    Raises
    ------
    ModelError
        If it is no pipeline, one that cannot be sampled here, or a folder with parts missing.
    """
    index = read_index(source)
    kind = str(index["_class_name"])
    if kind not in FAMILIES:
        raise ModelError(f"{source} holds a {kind}; what can be sampled is a {' or '.join(FAMILIES)}")
    folder = Path(source)
    missing = [part for part in parts_of(index) if folder.is_dir() and not (folder / part).is_dir()]
    if missing:
        raise ModelError(
            f"{folder} is not a whole {kind}: {', '.join(missing)} missing; "
            "save one with pipeline.save_pretrained(FOLDER, safe_serialization=True)"
        )
    return FAMILIES[kind]


def load(
    source: str,
    device: torch.device,
    execution: Execution = PLAIN,
    edit: Path | None = None,
) -> Family:
    """A pipeline as a denoiser on a device, changed by the weights of `edit` if there are any."""
    return family_of(source)(source, device, execution, edit)


def defaults(source: str) -> tuple[int, float]:
    """Number of steps and guidance scale of a pipeline whose caller says nothing; reads no weights."""
    family = family_of(source)
    if family is Flux and _is_schnell(source):
        return 4, 0.0
    return family.steps, family.guidance_scale


def _is_schnell(source: str) -> bool:
    """Whether a FLUX takes no guidance: timestep-distilled for 1 to 4 steps."""
    path = find_file(source, "transformer/config.json")
    return path is not None and not json.loads(path.read_text(encoding="utf-8")).get("guidance_embeds", False)


def fingerprint(folder: Path) -> dict[str, str]:
    """sha256 of all that makes a local model: weights, configurations, tokenizer, by path."""
    parts = parts_of(read_index(str(folder)))
    files = [path for part in parts for path in sorted((folder / part).rglob("*")) if path.is_file()]
    files += [path for name in (INDEX, NAMES) if (path := folder / name).is_file()]
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def hub_fingerprint(source: str) -> dict[str, str]:
    """Id of a model on the hub and the revision taken: tomorrow the id may mean other weights."""
    revision = revision_of(source)
    return {"hub": source} if revision is None else {"hub": source, "revision": revision}
