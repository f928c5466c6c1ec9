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
from PIL import Image
from torch import Tensor

from fairaudit.cards import THE_MODELS, Card, described
from fairaudit.digests import sha256_of
from fairaudit.errors import ModelError, UsageError
from fairaudit.faces import Crop
from fairaudit.labelling import Calibration, ClassifierRequest, Reading
from fairaudit.models.builtin import asset
from fairaudit.networks import in_batches, refuse
from fairaudit.outputs import load_described

PROMPTS = "prompts.yaml"
"""What a model's own folder says of its texts."""
_BUILTIN = "faces64-clip"
_TEXTS = 64
"""Texts that are embedded together."""


class ClipClassifier:
    """A contrastive model; its features are the normalised embeddings of pictures."""

    crop = Crop(margin=0.25)

    def __init__(self, name: str, opened: Opened, prompts: Prompts, device: torch.device) -> None:
        self.name, self.opened, self.prompts, self.device = name, opened, prompts, device
        self.model = opened.model.to(device).eval()
        self._texts = prompts.texts()
        self.values: Mapping[str, tuple[str, ...]] = {n: tuple(v) for n, v in self._texts.items()}

    @property
    def preprocessing(self) -> str:
        """What the model does with a picture."""
        import open_clip

        shown = open_clip.get_model_preprocess_cfg(self.model)
        return ", ".join(f"{key} {value}" for key, value in shown.items())

    def read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        """Probabilities and features of pictures (h, w, 3) of any size."""
        pictures = self.embed_images(images)
        scale = float(self.model.logit_scale.detach().exp()) / self.prompts.temperature
        found = {}
        for name, directions in self._directions.items():
            read = (pictures.double() @ directions.double().T * scale).softmax(1).numpy()
            first, second = np.sort(read, 1)[:, -1], np.sort(read, 1)[:, -2]
            found[name] = np.where((first - second < self.prompts.margin)[:, None], np.nan, read)
        return Reading({n: p.astype(np.float32) for n, p in found.items()}, pictures.numpy())

    def embed_images(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Normalised embeddings (n, d) of pictures."""
        (embedded,) = in_batches(images, self._fit, self._embed, self.device)
        return embedded

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Normalised embeddings (n, d) of texts."""
        tokens = self.opened.tokenizer(list(texts)).to(self.device)
        parts = [self.model.encode_text(part, normalize=True) for part in tokens.split(_TEXTS)]
        return torch.cat(parts).float().cpu()

    def score(self, images: Sequence[NDArray[np.uint8]], captions: Sequence[str]) -> NDArray[np.float64]:
        """CLIP score (n,) of each picture with its caption: 100 max(cosine, 0) (Hessel et al. 2021)."""
        different = list(dict.fromkeys(captions))
        texts = self.embed_texts(different)[[different.index(caption) for caption in captions]]
        cosines = (self.embed_images(images).double() * texts.double()).sum(1)
        scores: NDArray[np.float64] = 100 * cosines.clamp(min=0).numpy()
        return scores

    def calibration(self, attribute: str) -> Calibration | None:
        """The confusion counts in the model's own folder, if they are of this classifier."""
        folder = self.opened.folder
        path = folder / f"{attribute}.calibration.json" if folder else None
        found = Calibration.load(path) if path and path.is_file() else None
        return found if found and found.classifier == f"builtin:{_BUILTIN}" else None

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights, where they are a file that is named, and of the texts."""
        return {**self.opened.fingerprint, "texts": self.prompts.sha256}

    @cached_property
    def _directions(self) -> dict[str, Tensor]:
        """By attribute, the mean direction (K, d) of the texts of every value."""
        found = {}
        for name, values in self._texts.items():
            means = torch.stack([self.embed_texts(texts).mean(0) for texts in values.values()])
            found[name] = torch.nn.functional.normalize(means, dim=1)
        return found

    def _fit(self, image: NDArray[np.uint8]) -> Tensor:
        fitted: Tensor = self.opened.transform(Image.fromarray(image))
        return fitted

    def _embed(self, pictures: Tensor) -> tuple[Tensor]:
        return (self.model.encode_image(pictures, normalize=True),)


class Opened:
    """A model of open_clip, with its tokenizer and what prepares pictures.

    Parameters
    ----------
    name
        As open_clip takes it.
    pretrained
        A tag or file of weights.

    Raises
    ------
    ModelError
        If there is no such model, or its weights are missing or of another.
    """

    def __init__(self, name: str, pretrained: str | None) -> None:
        import open_clip

        folder = name.removeprefix(open_clip.factory.LOCAL_DIR_PREFIX)
        self.folder = Path(folder) if folder != name else None
        try:
            self.model, self.transform = open_clip.create_model_from_pretrained(name, pretrained=pretrained)
            self.tokenizer = open_clip.get_tokenizer(name)
        except Exception as error:  # whatever a file of another kind leads to
            reason = " ".join(str(error).split())[:300]
            raise ModelError(
                f"open_clip cannot load {name} with {pretrained or 'its weights'}: {reason}"
            ) from error
        self.fingerprint = self._digests(name, pretrained)

    def _digests(self, name: str, pretrained: str | None) -> dict[str, str]:
        if self.folder is not None:
            return {path.name: sha256_of(path) for path in sorted(self.folder.glob("*.safetensors"))}
        if pretrained is not None and Path(pretrained).is_file():
            return {Path(pretrained).name: sha256_of(Path(pretrained))}
        return {"open_clip": f"{name} {pretrained or ''}".strip()}


_READS = "gender, race, age, and what --outputs says"


@described(Card(_READS, THE_MODELS, THE_MODELS, get="open_clip's hub, or --weights FILE"))
def load(request: ClassifierRequest) -> ClipClassifier:
    """Zero-shot by any model of open_clip: clip:MODEL/PRETRAINED, or clip:MODEL with --weights FILE."""
    name, argument = f"clip:{request.argument}", request.argument
    if Path(argument).is_dir() or argument.startswith(("hf-hub:", "local-dir:")):
        refuse(name, "weights", request.weights, "it has its own")
        whole = f"local-dir:{argument}" if Path(argument).is_dir() else argument
        return ClipClassifier(name, Opened(whole, None), _prompts(request, None), request.device)
    model, _, tag = argument.partition("/")
    if bool(tag) == (request.weights is not None):
        raise UsageError(
            f"{name} needs its weights, once: a tag as in clip:{model}/openai, or a file with "
            f"--weights {name}=FILE"
        )
    if request.weights is not None and not request.weights.is_file():
        raise UsageError(f"the weights of {name} are not at {request.weights}")
    pretrained = str(request.weights) if request.weights else tag
    return ClipClassifier(name, Opened(model, pretrained), _prompts(request, None), request.device)


def _folder() -> Path | None:
    folder = asset(_BUILTIN)
    return folder if (folder / "open_clip_config.json").is_file() else None


_BUILTIN_CARD = Card(_READS, "CC BY 4.0", "16.5 MB", find=_folder, get="not in this installation")


@described(_BUILTIN_CARD)
def load_default(request: ClassifierRequest) -> ClipClassifier:
    """Zero-shot by the built-in model."""
    return _load_builtin("clip", request)


@described(_BUILTIN_CARD)
def load_builtin(request: ClassifierRequest) -> ClipClassifier:
    """Zero-shot by the built-in model, trained on captions of FairFace."""
    return _load_builtin(f"builtin:{_BUILTIN}", request)


def _load_builtin(name: str, request: ClassifierRequest) -> ClipClassifier:
    refuse(name, "weights", request.weights, "the package carries them; clip:MODEL takes others")
    folder = _folder()
    if folder is None:
        raise ModelError(
            f"the weights of {name} are not in this installation; name another model, such as "
            "clip:ViT-B-32/openai"
        )
    opened = Opened(f"local-dir:{folder}", None)
    return ClipClassifier(name, opened, _prompts(request, folder), request.device)


def _prompts(request: ClassifierRequest, folder: Path | None) -> Prompts:
    own = folder / PROMPTS if folder else None
    if request.outputs is not None:
        return load_described(request.outputs, Prompts)
    return load_described(own, Prompts) if own is not None and own.is_file() else Prompts()
