"""`clip:MODEL/PRETRAINED`: embeddings of a contrastive model of open_clip, of pictures and of texts.

Its Frechet distance is CLIP-FID (Kynkaanniemi et al. 2023), and its kernel distance CMMD (Jayasumana et al.,
CVPR 2024), which is published for ViT-L-14-336. `builtin:faces64-clip` is the small one of the package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fairaudit.cards import THE_MODELS, Card, described
from fairaudit.contrastive import BUILTIN_NAME, Contrastive, builtin_folder, open_builtin, open_contrastive
from fairaudit.extracting import ExtractorRequest, Kind


class ClipExtractor:
    """Normalised embeddings of whole pictures, and of texts beside them."""

    kind: ClassVar[Kind] = "clip"

    def __init__(self, name: str, model: Contrastive) -> None:
        self.name, self.model = name, model

    def features(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embeddings (n, d) of pictures (h, w, 3), of length 1."""
        return np.asarray(self.model.embed_images(images).numpy(), dtype=np.float32)

    def text_features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeddings (m, d) of texts, of length 1: their cosine with a picture's is their product."""
        return np.asarray(self.model.embed_texts(texts).numpy(), dtype=np.float32)

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """The words of texts that the model has learnt nothing of."""
        return self.model.unknown_words(texts)

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights by file, or what open_clip calls them."""
        return self.model.fingerprint


@described(Card("pictures and texts", THE_MODELS, THE_MODELS, get="open_clip's hub, or --weights FILE"))
def load(request: ExtractorRequest) -> ClipExtractor:
    """Any model of open_clip: clip:MODEL/PRETRAINED, or clip:MODEL with --weights FILE."""
    model = open_contrastive(request.argument, request.weights, request.device)
    return ClipExtractor(f"clip:{request.argument}", model)


@described(
    Card("pictures and texts", "CC BY 4.0", "16.5 MB", find=builtin_folder, get="not in this installation")
)
def load_builtin(request: ExtractorRequest) -> ClipExtractor:
    """The small CLIP that the package carries, trained on captions of FairFace."""
    return ClipExtractor(BUILTIN_NAME, open_builtin(BUILTIN_NAME, request.weights, request.device))
