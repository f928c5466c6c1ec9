"""Contrastive models of open_clip: pictures and texts as directions of one space (Radford et al. 2021)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from textwrap import shorten

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from fairaudit.digests import sha256_of
from fairaudit.errors import ModelError, UsageError, unknown
from fairaudit.models.builtin import PREFIX, asset
from fairaudit.networks import in_batches, read_state

BUILTIN = "faces64-clip"
BUILTIN_NAME = f"{PREFIX}{BUILTIN}"
_TEXTS = 64
"""Texts that are embedded together."""


class Contrastive:
    """A model of open_clip on a device, with its tokenizer and what prepares pictures.

    Parameters
    ----------
    name
        As open_clip takes it.
    pretrained
        A tag or file of weights.

    Attributes
    ----------
    folder
        Where the model lies, if it is one of this machine that brings its own description.

    Raises
    ------
    ModelError
        If there is no such model, or its weights are missing or of another.
    """

    def __init__(self, name: str, pretrained: str | None, device: torch.device) -> None:
        import open_clip

        folder = name.removeprefix(open_clip.factory.LOCAL_DIR_PREFIX)
        self.folder = Path(folder) if folder != name else None
        self.device, self._name, self._pretrained = device, name, pretrained
        try:
            with _silent():
                model, self.transform = open_clip.create_model_from_pretrained(name, pretrained=pretrained)
                self.tokenizer = open_clip.get_tokenizer(name)
        except Exception as error:  # whatever a file of another kind leads to
            raise _explained(name, pretrained, error) from error
        self.model = model.to(device).eval()

    @property
    def preprocessing(self) -> str:
        """What the model does with a picture."""
        import open_clip

        shown = open_clip.get_model_preprocess_cfg(self.model)
        return ", ".join(f"{key} {value}" for key, value in shown.items())

    @property
    def scale(self) -> float:
        """What a cosine is multiplied by to be a logit."""
        return float(self.model.logit_scale.detach().exp())

    def embed_images(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Normalised embeddings (n, d) of pictures (h, w, 3) of any size."""
        (embedded,) = in_batches(images, self._fit, self._embed, self.device)
        return embedded

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """Normalised embeddings (n, d) of texts."""
        tokens = self.tokenizer(list(texts)).to(self.device)
        parts = [self.model.encode_text(part, normalize=True) for part in tokens.split(_TEXTS)]
        return torch.cat(parts).float().cpu()

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """The words of texts, in lower case, of whose tokens one has the embedding 0: nothing was learnt.

        None is known of models whose embeddings lie elsewhere than in open_clip's own text towers.
        """
        embedding = getattr(getattr(self.model, "text", self.model), "token_embedding", None)
        words = list(dict.fromkeys(word for text in texts for word in re.findall(r"\w+", text.lower())))
        if embedding is None or not words:
            return []
        silent = (embedding.weight == 0).all(dim=1).cpu()
        silent[0] = False  # what fills up short texts
        return [
            word for word, tokens in zip(words, self.tokenizer(words), strict=True) if silent[tokens].any()
        ]

    @cached_property
    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights by file, or what open_clip calls them."""
        if self.folder is not None:
            return {path.name: sha256_of(path) for path in sorted(self.folder.glob("*.safetensors"))}
        if self._pretrained is not None and Path(self._pretrained).is_file():
            return {Path(self._pretrained).name: sha256_of(Path(self._pretrained))}
        return {"open_clip": f"{self._name} {self._pretrained or ''}".strip()}

    def _fit(self, image: NDArray[np.uint8]) -> Tensor:
        fitted: Tensor = self.transform(Image.fromarray(image))
        return fitted

    def _embed(self, pictures: Tensor) -> tuple[Tensor]:
        return (self.model.encode_image(pictures, normalize=True),)


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing is logged: what goes wrong is said once, by the error."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _explained(name: str, pretrained: str | None, error: Exception) -> ModelError:
    """The one sentence for what open_clip raised, and how what it lacks is got."""
    import open_clip

    reason = shorten(str(error), 300, placeholder=" ...")
    if pretrained is not None and Path(pretrained).is_file():
        read_state(Path(pretrained))  # a file without weights is said to be one
        return ModelError(f"{pretrained} does not fit {name}: {reason}")
    place = name.removeprefix("hf-hub:") if name.startswith("hf-hub:") else ""
    if pretrained is not None:
        place = str(open_clip.get_pretrained_cfg(name, pretrained).get("hf_hub", "")).rpartition("/")[0]
    if place and "Failed to download" in reason:
        reason = f"they are not on this machine; with a network, `fairaudit fetch hf:{place}` brings them"
    return ModelError(f"open_clip cannot load {name} with {pretrained or 'its weights'}: {reason}")


def builtin_folder() -> Path | None:
    """Where the model that the package carries lies, if this installation has it."""
    folder = asset(BUILTIN)
    return folder if (folder / "open_clip_config.json").is_file() else None


def open_builtin(name: str, weights: Path | None, device: torch.device) -> Contrastive:
    """The model that the package carries; `ModelError` where it is not there."""
    if weights is not None:
        raise UsageError(f"{name} takes no --weights: the package carries them; clip:MODEL takes others")
    folder = builtin_folder()
    if folder is None:
        raise ModelError(
            f"the weights of {name} are not in this installation; name another model, such as "
            "clip:ViT-B-32/openai"
        )
    return Contrastive(f"local-dir:{folder}", None, device)


def open_contrastive(argument: str, weights: Path | None, device: torch.device) -> Contrastive:
    """The model that `clip:ARGUMENT` names: MODEL/PRETRAINED, MODEL with a file of weights, or a folder.

    Raises
    ------
    UsageError
        If its weights are not named, or named twice.
    """
    name = f"clip:{argument}"
    if Path(argument).is_dir() or argument.startswith(("hf-hub:", "local-dir:")):
        if weights is not None:
            raise UsageError(f"{name} takes no --weights: it has its own")
        return Contrastive(f"local-dir:{argument}" if Path(argument).is_dir() else argument, None, device)
    model, _, tag = argument.partition("/")
    if bool(tag) == (weights is not None):
        raise UsageError(
            f"{name} needs its weights, once: a tag as in clip:{model}/openai, or a file with "
            f"--weights {name}=FILE"
        )
    if weights is not None and not weights.is_file():
        raise UsageError(f"the weights of {name} are not at {weights}")
    _check_name(model, tag)
    return Contrastive(model, str(weights) if weights else tag, device)


def _check_name(model: str, tag: str) -> None:
    """Raise `UsageError` where open_clip has no such model, or no weights of it by that tag."""
    import open_clip

    if model not in open_clip.list_models():
        raise unknown("model of open_clip", model, open_clip.list_models())
    if tag and not open_clip.pretrained.is_pretrained_cfg(model, tag):
        raise unknown(f"weights of {model}", tag, open_clip.list_pretrained_tags_by_model(model))
