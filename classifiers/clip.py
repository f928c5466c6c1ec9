"""`clip`: zero-shot classification by a contrastive model of open_clip (Radford et al. 2021).

`clip` is the built-in model; `clip:MODEL/PRETRAINED` is one of open_clip's own (`clip:ViT-B-32/openai`),
`clip:MODEL --weights FILE` one of its architectures with weights from a file, `clip:hf-hub:ORG/NAME` one of
a hub, `clip:FOLDER` a folder with `open_clip_config.json`. What open_clip downloads, it downloads itself.

A value is described by several texts, whose normalised embeddings are averaged; the value's logit is the
cosine with the picture, times the model's own scale, over a temperature. Where the two most probable
values are closer than a margin, there is no label. The texts are templates with an attribute's words;
`--outputs` names a YAML file that says others, for built-in attributes or new ones::

    templates: ["a photo of {}", "a portrait of {}"]
    attributes: {glasses: {no: [a person without glasses], yes: [a person with glasses]}}
    temperature: 1.0
    margin: 0.05
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from fairaudit.classifiers.texts import Prompts
from numpy.typing import NDArray
from torch import Tensor

from fairaudit.cards import THE_MODELS, Card, described
from fairaudit.contrastive import BUILTIN_NAME, Contrastive, builtin_folder, open_builtin, open_contrastive
from fairaudit.faces import Crop
from fairaudit.labelling import Calibration, ClassifierRequest, Reading
from fairaudit.outputs import load_described

PROMPTS = "prompts.yaml"
"""What a model's own folder says of its texts."""


class ClipClassifier:
    """A contrastive model; its features are the normalised embeddings of pictures."""

    crop = Crop(margin=0.25)

    def __init__(self, name: str, model: Contrastive, prompts: Prompts) -> None:
        self.name, self.model, self.prompts = name, model, prompts
        self._texts = prompts.texts()
        self.values: Mapping[str, tuple[str, ...]] = {n: tuple(v) for n, v in self._texts.items()}

    @property
    def preprocessing(self) -> str:
        """What the model does with a picture."""
        return self.model.preprocessing

    def read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        """Probabilities and features of pictures (h, w, 3) of any size."""
        pictures = self.embed_images(images)
        scale = self.model.scale / self.prompts.temperature
        found = {}
        for name, directions in self._directions.items():
            read = (pictures.double() @ directions.double().T * scale).softmax(1).numpy()
            first, second = np.sort(read, 1)[:, -1], np.sort(read, 1)[:, -2]
            found[name] = np.where((first - second < self.prompts.margin)[:, None], np.nan, read)
        return Reading({n: p.astype(np.float32) for n, p in found.items()}, pictures.numpy())

    def embed_images(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Normalised embeddings (n, d) of pictures."""
        return self.model.embed_images(images)

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Normalised embeddings (n, d) of texts."""
        return self.model.embed_texts(texts)

    def score(self, images: Sequence[NDArray[np.uint8]], captions: Sequence[str]) -> NDArray[np.float64]:
        """CLIP score (n,) of each picture with its caption: 100 max(cosine, 0) (Hessel et al. 2021)."""
        different = list(dict.fromkeys(captions))
        texts = self.embed_texts(different)[[different.index(caption) for caption in captions]]
        cosines = (self.embed_images(images).double() * texts.double()).sum(1)
        scores: NDArray[np.float64] = 100 * cosines.clamp(min=0).numpy()
        return scores

    def calibration(self, attribute: str) -> Calibration | None:
        """The confusion counts in the model's own folder, if they are of this classifier."""
        folder = self.model.folder
        path = folder / f"{attribute}.calibration.json" if folder else None
        found = Calibration.load(path) if path and path.is_file() else None
        return found if found and found.classifier == BUILTIN_NAME else None

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights, where they are a file that is named, and of the texts."""
        return {**self.model.fingerprint, "texts": self.prompts.sha256}

    @cached_property
    def _directions(self) -> dict[str, Tensor]:
        """By attribute, the mean direction (K, d) of the texts of every value."""
        found = {}
        for name, values in self._texts.items():
            means = torch.stack([self.embed_texts(texts).mean(0) for texts in values.values()])
            found[name] = torch.nn.functional.normalize(means, dim=1)
        return found


_READS = "gender, race, age, and what --outputs says"


@described(Card(_READS, THE_MODELS, THE_MODELS, get="open_clip's hub, or --weights FILE"))
def load(request: ClassifierRequest) -> ClipClassifier:
    """Zero-shot by any model of open_clip: clip:MODEL/PRETRAINED, or clip:MODEL with --weights FILE."""
    model = open_contrastive(request.argument, request.weights, request.device)
    return ClipClassifier(f"clip:{request.argument}", model, _prompts(request, model.folder))


_BUILTIN_CARD = Card(_READS, "CC BY 4.0", "16.5 MB", find=builtin_folder, get="not in this installation")


@described(_BUILTIN_CARD)
def load_default(request: ClassifierRequest) -> ClipClassifier:
    """Zero-shot by the built-in model."""
    return _load_builtin("clip", request)


@described(_BUILTIN_CARD)
def load_builtin(request: ClassifierRequest) -> ClipClassifier:
    """Zero-shot by the built-in model, trained on captions of FairFace."""
    return _load_builtin(BUILTIN_NAME, request)


def _load_builtin(name: str, request: ClassifierRequest) -> ClipClassifier:
    model = open_builtin(name, request.weights, request.device)
    return ClipClassifier(name, model, _prompts(request, model.folder))


def _prompts(request: ClassifierRequest, folder: Path | None) -> Prompts:
    own = folder / PROMPTS if folder else None
    if request.outputs is not None:
        return load_described(request.outputs, Prompts)
    return load_described(own, Prompts) if own is not None and own.is_file() else Prompts()
