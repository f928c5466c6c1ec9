"""`hf:REPO`: any image classifier of transformers, from a model hub or a folder.

The weights must be safetensors. The hub is asked as transformers does it, so `HF_HUB_OFFLINE` and
`HF_ENDPOINT` hold, and what is in its cache is found. `--outputs` names a YAML file that says what the
model's labels mean (see `fairaudit.outputs`)::

    attributes: {gender: {female: [woman, girl], male: [man, boy]}}

Without it, the labels must be those of one built-in attribute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from fairaudit.attributes import ATTRIBUTES
from fairaudit.cards import THE_MODELS, Card, described
from fairaudit.errors import ModelError, UsageError
from fairaudit.faces import Crop
from fairaudit.hub import fingerprint_of, from_hub, preprocessing_of
from fairaudit.labelling import Calibration, ClassifierRequest, Reading
from fairaudit.networks import Tapped, in_batches, refuse
from fairaudit.outputs import OutputReader, Outputs, load_described

_SYNONYMS = {"woman": "female", "women": "female", "man": "male", "men": "male", "70+": "more than 70"}


class HuggingFaceClassifier:
    """A network of transformers; its features are what enters its last linear layer."""

    crop = Crop(margin=0.25)

    def __init__(self, repo: str, outputs: Path | None, device: torch.device) -> None:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        self.name, self.device = f"hf:{repo}", device
        model = from_hub(AutoModelForImageClassification, repo, use_safetensors=True)
        self.processor = from_hub(AutoImageProcessor, repo)
        labels = [str(model.config.id2label[place]) for place in range(model.config.num_labels)]
        meanings = load_described(outputs, Outputs) if outputs else outputs_of(labels, self.name)
        self.reader = OutputReader(meanings, len(labels), labels)
        self.values: Mapping[str, tuple[str, ...]] = self.reader.values
        self.preprocessing = preprocessing_of(self.processor)
        self._fingerprint = {**fingerprint_of(repo), "outputs": meanings.sha256}
        module = model.to(device).eval()
        self.net = Tapped(lambda pictures: module(pictures).logits, _last(module, len(labels), self.name))

    def read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        """Probabilities and features of pictures (h, w, 3) of any size."""
        features, logits = in_batches(images, self._fit, self.net, self.device)
        return Reading(self.reader(logits), features.numpy())

    def calibration(self, attribute: str) -> Calibration | None:
        """None: no confusion counts are published in a form that could be used."""
        return None

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of a folder's weights, or the revision on the hub; and of what the outputs mean."""
        return self._fingerprint

    def _fit(self, image: NDArray[np.uint8]) -> torch.Tensor:
        # One by one, so that a picture cannot depend on those beside it.
        rows: torch.Tensor = self.processor(images=Image.fromarray(image), return_tensors="pt")[
            "pixel_values"
        ]
        return rows[0]


def _last(model: nn.Module, count: int, name: str) -> nn.Module:
    found = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == count]
    if not found:
        raise ModelError(
            f"{name} has no linear layer of {count} outputs at its end, which features come from"
        )
    return found[-1]


def outputs_of(labels: Sequence[str], name: str) -> Outputs:
    """What labels mean, where they are the values of exactly one built-in attribute.

    Raises
    ------
    UsageError
        If they are not.
    """
    read = {}
    for label in labels:
        plain = _plain(label)
        read[_SYNONYMS.get(plain, plain)] = label
    for attribute in ATTRIBUTES.values():
        if len(read) == len(labels) and {*read} == {_plain(value) for value in attribute.values}:
            meanings = {value: (labels.index(read[_plain(value)]),) for value in attribute.values}
            return Outputs(attributes={attribute.name: meanings})
    raise UsageError(
        f"the labels of {name} ({_shortened(labels)}) are not the values of one built-in attribute; say what "
        f"they mean in a YAML file with --outputs {name}=FILE"
    )


def _plain(text: str) -> str:
    return text.casefold().replace("_", " ").replace("-", " ").strip()


def _shortened(labels: Sequence[str], most: int = 10) -> str:
    return ", ".join(labels[:most]) + (f", and {len(labels) - most} more" if len(labels) > most else "")


@described(Card("what --outputs says, or its labels", THE_MODELS, THE_MODELS, get="its hub"))
def load(request: ClassifierRequest) -> HuggingFaceClassifier:
    """Any image classifier of transformers, from a hub or a folder."""
    name = f"hf:{request.argument}"
    refuse(name, "weights", request.weights, "name a folder instead of a hub's model")
    return HuggingFaceClassifier(request.argument, request.outputs, request.device)
