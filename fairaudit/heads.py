"""Linear classifiers of a UNet's middle block, one per moment of the reverse process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from fairaudit.attributes import Attribute
from fairaudit.errors import ModelError, reason_of
from fairaudit.joint import independent, names_of
from fairaudit.sampling import HiddenJudge
from fairaudit.store import write

FILE = "heads.safetensors"
"""Where a pipeline folder keeps the heads of its model."""

GRID = 4
"""Rows and columns that the middle block is averaged to, so that heads fit pictures of any size."""


@dataclass(frozen=True)
class Heads:
    """The attribute distribution predictor of Balancing Act (Parihar et al., CVPR 2024, arXiv 2402.18206).

    At each of T times a linear layer reads the values of an attribute from the flattened middle block.
    Those in use are the ones of the nearest time.

    Parameters
    ----------
    values
        The values of every attribute, in the order of the logits.
    times
        (T,), positions in the noise schedule in [0, 1].
    weights, biases
        Per attribute (T, K, D) and (T, K), for D = channels x GRID x GRID features.
    model
        Digest of the model that they belong to, as `identity` gives it.
    """

    values: Mapping[str, tuple[str, ...]]
    times: Tensor
    weights: Mapping[str, Tensor]
    biases: Mapping[str, Tensor]
    model: str

    def cover(self, attribute: Attribute) -> bool:
        """Whether there is a head of the attribute, or of all those that it joins."""
        declared = {part.name: part.values for part in attribute.parts or (attribute,)}
        return all(self.values.get(name) == values for name, values in declared.items())

    def judge(self, attribute: Attribute) -> HiddenJudge:
        """Middle block (n, channels, h, w) and time to log-probabilities (n, K), in float32."""

        def judge(hidden: Tensor, time: float) -> Tensor:
            moment = int((self.times - time).abs().argmin())
            features = flat(hidden)
            parts = []
            for name in names_of(attribute):
                weight = self.weights[name][moment].to(features)
                bias = self.biases[name][moment].to(features)
                parts.append((features @ weight.T + bias).log_softmax(1))
            return independent(parts)

        return judge

    def write(self, path: Path) -> None:
        """Save as safetensors, in half precision; what they are is in the file's metadata."""
        tensors = {"times": self.times.float()}
        for name in self.values:
            tensors[f"{name}.weight"] = self.weights[name].half().contiguous()
            tensors[f"{name}.bias"] = self.biases[name].float().contiguous()
        metadata = {"values": json.dumps(self.values), "model": self.model}
        write(path, save(tensors, metadata))


def load_heads(path: Path, fingerprint: Mapping[str, Any]) -> Heads:
    """The heads in a file, for the model of a fingerprint.

    Raises
    ------
    ModelError
        If the file holds no heads, or those of another model.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        values = {name: tuple(some) for name, some in json.loads(metadata["values"]).items()}
        heads = Heads(
            values,
            tensors["times"],
            {name: tensors[f"{name}.weight"] for name in values},
            {name: tensors[f"{name}.bias"] for name in values},
            metadata["model"],
        )
        _check_shapes(heads)
    except OSError as error:
        raise ModelError(f"cannot read the heads: {reason_of(error)}") from error
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} holds no heads; `fairaudit heads MODEL` makes such a file") from error
    if heads.model != identity(fingerprint):
        raise ModelError(
            f"the heads in {path} belong to another model; train this one's with `fairaudit heads MODEL`"
        )
    return heads


def identity(fingerprint: Mapping[str, Any]) -> str:
    """Digest of the network's weights in a model's fingerprint; of all of it where there are none."""
    others = ("vae/", "text_encoder", "tokenizer", "scheduler/")
    network = {
        name: digest
        for name, digest in fingerprint.items()
        if name.endswith(".safetensors") and not name.startswith(others)
    }
    text = json.dumps(network or dict(fingerprint), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def flat(hidden: Tensor) -> Tensor:
    """Features (n, channels x GRID x GRID) of the middle block (n, channels, h, w), in float32."""
    return adaptive_avg_pool2d(hidden.float(), GRID).flatten(1)


def _check_shapes(heads: Heads) -> None:
    count = len(heads.times)
    for name, values in heads.values.items():
        weight, bias = heads.weights[name], heads.biases[name]
        if weight.ndim != 3 or weight.shape[:2] != (count, len(values)) or bias.shape != weight.shape[:2]:
            raise ValueError(name)
    if not count or not heads.values or not all(torch.isfinite(w).all() for w in heads.weights.values()):
        raise ValueError("empty or not finite")
