"""Edited and fine-tuned variants of a model: a base, and a file of weights that changes it."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairaudit.digests import sha256_of
from fairaudit.errors import ModelError, UsageError
from fairaudit.models.loading import networks_of, quiet

if TYPE_CHECKING:
    from torch import Tensor

SEPARATOR = "+"
_HALF = re.compile(r"lora_A\.|lora_down\.|lora\.down\.|lora_linear_layer\.down\.")
"""What the first of the two matrices of a LoRA layer is called, by those who write such files."""

LORA = "pytorch_lora_weights.safetensors"
"""What diffusers calls the file when it saves LoRA weights in a folder."""


def split_variant(name: str) -> tuple[str, Path | None]:
    """`BASE+FILE` as its two parts; any other name and None.

    Raises
    ------
    UsageError
        If there is a `+`, but what follows is no safetensors file and no folder of one.
    """
    if SEPARATOR not in name or Path(name).is_dir():
        return name, None
    places = [place for place, letter in enumerate(name) if letter == SEPARATOR]
    for place in places:
        base, file = name[:place], Path(name[place + 1 :])
        if base and (file.is_file() or (file / LORA).is_file()):
            return base, _safe(file)
    base, _, file_name = name.partition(SEPARATOR)
    raise UsageError(f"{name!r}: there is no file of weights {file_name!r} to change {base!r} with")


def fingerprint(file: Path) -> dict[str, str]:
    """sha256 of the file."""
    return {f"{SEPARATOR}{file.name}": sha256_of(file)}


def apply_edit(pipeline: Any, network: Any, file: Path) -> None:
    """Change a loaded pipeline: by a LoRA, or by weights that replace some of the network's own.

    A LoRA is read by diffusers and added to the weights it belongs to (W + scale B A), so that the
    variant costs what the base costs. Weights that replace others, as UCE (Gandikota et al. 2024)
    writes them, have the names of the network's state dict.

    Raises
    ------
    ModelError
        If the file does not belong to this model.
    """
    from safetensors.torch import load_file

    try:
        weights = load_file(file)
    except Exception as error:  # safetensors raises its own kind
        raise ModelError(f"{file} is no safetensors file: {error}") from error
    if not weights:
        raise ModelError(f"{file} holds no weights")
    if any("lora" in name.lower() for name in weights):
        _add_lora(pipeline, file, sum(bool(_HALF.search(name)) for name in weights))
    else:
        _replace(network, weights, file)


def _safe(file: Path) -> Path:
    file = file / LORA if file.is_dir() else file
    if file.suffix != ".safetensors":
        raise UsageError(f"{file}: weights are read from safetensors files only")
    return file


def _add_lora(pipeline: Any, file: Path, count: int) -> None:
    """Add a LoRA of so many layers, all of which must have a place."""
    if find_spec("peft") is None:
        raise ModelError(f"{file} is a LoRA, which takes peft: pip install 'fairaudit[lora]'")
    if not hasattr(pipeline, "load_lora_weights"):
        raise ModelError(f"{file} is a LoRA, and a {type(pipeline).__name__} takes none")
    with quiet():
        try:
            pipeline.load_lora_weights(str(file.parent), weight_name=file.name)
        except Exception as error:  # diffusers and peft raise many kinds
            reason = str(error).splitlines()[0]
            raise ModelError(f"the LoRA {file} does not fit this model: {reason}") from error
        # diffusers leaves out what has no place, and only logs it.
        found = sum(
            len(getattr(layer, "lora_A", ())) for part in networks_of(pipeline) for layer in part.modules()
        )
        if found < count:
            raise ModelError(
                f"the LoRA {file} does not fit this model: {count - found} of {count} layers have no place"
            )
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()


def _replace(network: Any, weights: dict[str, Tensor], file: Path) -> None:
    own = network.state_dict()
    for name, weight in weights.items():
        if name not in own:
            raise ModelError(
                f"{file} holds {name!r}, which the model's {type(network).__name__} does not have"
            )
        if weight.shape != own[name].shape:
            shape, expected = tuple(weight.shape), tuple(own[name].shape)
            raise ModelError(f"{file}: {name} is {shape}, and the model's is {expected}")
    network.load_state_dict(weights, strict=False)
