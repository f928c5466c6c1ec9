"""`torchvision:ARCH`: any image classifier of torchvision, with the user's weights.

`--weights` names the file (safetensors or a PyTorch state dict), `--outputs` a YAML file that says what its
outputs mean (see `fairaudit.outputs`), and how its pictures were prepared::

    attributes: {gender: {female: [0], male: [1]}}
    size: 224                    # pixels
    mean: [0.485, 0.456, 0.406]
    std: [0.229, 0.224, 0.225]
    resample: bilinear           # or bicubic, lanczos
    crop: {margin: 0.25, aligned: false}

A safetensors file can carry the same as JSON in its metadata, under the key `outputs`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from fairaudit.cards import THE_MODELS, Card, described
from fairaudit.digests import sha256_of
from fairaudit.errors import UsageError, unknown
from fairaudit.faces import Crop
from fairaudit.labelling import Calibration, ClassifierRequest, Reading
from fairaudit.networks import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Fit,
    Resample,
    Tapped,
    in_batches,
    put_state,
    read_metadata,
    read_state,
    weights_of,
)
from fairaudit.outputs import OutputReader, Outputs, Positive, load_described, make_described

METADATA = "outputs"
_CLASSES = 1000
"""Outputs of torchvision's own networks, by which their last layer is known."""


class CropOutputs(BaseModel):
    """What of a face a network was trained on."""

    margin: float = Field(0.25, ge=0, allow_inf_nan=False)
    aligned: bool = False

    model_config = ConfigDict(extra="forbid", frozen=True)


class PictureOutputs(Outputs):
    """What the outputs of a network mean, and how its pictures are prepared.

    Attributes
    ----------
    architecture
        torchvision's name of the network, where it is not named otherwise.
    """

    architecture: str | None = None
    size: Annotated[int, Field(ge=1, le=4096)] = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[Positive, Positive, Positive] = IMAGENET_STD
    resample: Resample = "bilinear"
    crop: CropOutputs = CropOutputs()

    @property
    def fit(self) -> Fit:
        """How a picture is prepared."""
        return Fit(self.size, self.mean, self.std, self.resample)


class TorchvisionClassifier:
    """A network of torchvision; its features are what enters its last layer.

    Parameters
    ----------
    calibrations
        Folder of its confusion counts.
    """

    def __init__(
        self,
        name: str,
        net: Network,
        outputs: PictureOutputs,
        device: torch.device,
        calibrations: Path | None = None,
    ) -> None:
        self.name, self.device, self.weights = name, device, net.path
        self.outputs, self.calibrations = outputs, calibrations
        self.crop = Crop(outputs.crop.margin, outputs.crop.aligned)
        self.fit = outputs.fit
        self.preprocessing = str(self.fit)
        self.reader = OutputReader(outputs, net.count)
        self.values: Mapping[str, tuple[str, ...]] = self.reader.values
        module = net.module.to(device).to(memory_format=torch.channels_last).eval()
        self.net = Tapped(module, net.last)

    def read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        """Probabilities and features of pictures (h, w, 3) of any size."""
        features, logits = in_batches(images, self.fit, self._call, self.device)
        return Reading(self.reader(logits), features.numpy())

    def calibration(self, attribute: str) -> Calibration | None:
        """The confusion counts in the folder of calibrations, if they are of this classifier."""
        path = self.calibrations / f"{attribute}.calibration.json" if self.calibrations else None
        found = Calibration.load(path) if path and path.is_file() else None
        return found if found and found.classifier == self.name else None

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights, and of what their outputs mean."""
        return {self.weights.name: sha256_of(self.weights), "outputs": self.outputs.sha256}

    def _call(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.net(pictures.contiguous(memory_format=torch.channels_last))


class Network:
    """A network of torchvision with weights from a file.

    Parameters
    ----------
    state
        What `read_state` finds in it.

    Attributes
    ----------
    count
        Its outputs.
    last
        The layer that they come from.

    Raises
    ------
    UsageError
        If torchvision has no such network, or the weights are of another.
    """

    def __init__(self, architecture: str, path: Path, state: Mapping[str, torch.Tensor]) -> None:
        self.path = path
        name = _last_parameter(architecture)
        self.count = len(state[name]) if name in state and state[name].ndim else _CLASSES
        self.module = build(architecture, self.count)
        put_state(self.module, state, path, architecture)
        self.last = self.module.get_submodule(name.rpartition(".")[0])


def build(architecture: str, count: int) -> nn.Module:
    """A network of torchvision with `count` outputs and no weights yet."""
    from accelerate import init_empty_weights
    from torchvision import models

    known = models.list_models(module=models)
    if architecture not in known:
        raise unknown("architecture of torchvision", architecture, known)
    with init_empty_weights(include_buffers=False), warnings.catch_warnings():
        # How two of them begin before training may change, which is nothing to us.
        warnings.simplefilter("ignore", FutureWarning)
        net: nn.Module = models.get_model(architecture, weights=None, num_classes=count)
    return net


def _last_parameter(architecture: str) -> str:
    named = build(architecture, _CLASSES).named_parameters()
    return [name for name, parameter in named if parameter.shape[0] == _CLASSES][-1]


def outputs_of(request: ClassifierRequest, weights: Path) -> PictureOutputs | None:
    """What the outputs mean: as the user says, or the weights' own metadata; None where neither does."""
    if request.outputs is not None:
        return load_described(request.outputs, PictureOutputs)
    text = read_metadata(weights).get(METADATA)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{weights}: its metadata {METADATA!r} is no JSON") from error
    return make_described(content, PictureOutputs, f"{weights} (metadata)")


@described(Card("what --outputs says", THE_MODELS, THE_MODELS, get="--weights FILE"))
def load(request: ClassifierRequest) -> TorchvisionClassifier:
    """Any image classifier of torchvision, with --weights FILE --outputs YAML."""
    name = f"torchvision:{request.argument}"
    build(request.argument, _CLASSES)
    weights = weights_of(request, name)
    outputs = outputs_of(request, weights)
    if outputs is None:
        raise UsageError(f"say what the outputs of {name} mean: a YAML file with --outputs {name}=FILE")
    network = Network(request.argument, weights, read_state(weights))
    return TorchvisionClassifier(name, network, outputs, request.device)
