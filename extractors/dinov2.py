"""`dinov2`: features of a network that was trained without labels, by timm (Oquab et al. 2023).

Stein et al. (NeurIPS 2023) find that distances on them agree better with people than FID does.
`dinov2` is ViT-L/14; `dinov2:ARCH` another architecture of timm, such as `dinov2:vit_small_patch14_dinov2`.
The weights are a file (`--weights dinov2=FILE`), or timm's on the hub, which
`fairaudit fetch hf:timm/...` brings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fairaudit.cards import Card, described
from fairaudit.digests import sha256_of
from fairaudit.errors import ModelError, UsageError, unknown
from fairaudit.extracting import ExtractorRequest, Kind
from fairaudit.networks import Fit, in_batches, put_state, read_state

DEFAULT = "vit_large_patch14_dinov2"
SIZE = 224
"""Side in pixels, a multiple of the patch; the published distances take as many."""


class DinoExtractor:
    """The class token of a vision transformer that was trained without labels."""

    kind: ClassVar[Kind] = "self-supervised"

    def __init__(self, name: str, net: nn.Module, source: Mapping[str, str], device: torch.device) -> None:
        self.name, self.net, self.device = name, net.to(device).eval(), device
        self.fit = Fit(SIZE, resample="bicubic")
        self._source = source

    def features(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Features (n, d) of pictures (h, w, 3), cut square."""
        (found,) = in_batches(images, self.fit, self._call, self.device)
        return np.asarray(found.numpy(), dtype=np.float32)

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the file of weights, or what timm calls them."""
        return self._source

    def _call(self, rows: Tensor) -> tuple[Tensor]:
        return (self.net(rows),)


@described(Card("pictures", "Apache-2.0", "1.2 GB", get="timm's hub, or --weights FILE"))
def load(request: ExtractorRequest) -> DinoExtractor:
    """DINOv2 ViT-L/14 of timm; dinov2:ARCH is another architecture."""
    import timm

    architecture = request.argument or DEFAULT
    name = f"dinov2:{request.argument}" if request.argument else "dinov2"
    if architecture not in (known := timm.list_models("*vit*")):
        raise unknown("architecture of timm", architecture, known)
    if request.weights is None:
        return DinoExtractor(name, *_pretrained(architecture), request.device)
    if not request.weights.is_file():
        raise UsageError(f"the weights of {name} are not at {request.weights}")
    net = timm.create_model(architecture, img_size=SIZE, num_classes=0)
    _put(net, request.weights, architecture)
    return DinoExtractor(name, net, {request.weights.name: sha256_of(request.weights)}, request.device)


def _put(net: Any, weights: Path, architecture: str) -> None:
    """Give a network its weights; positions of another size are resampled, a last layer is left out."""
    from timm.models.vision_transformer import checkpoint_filter_fn

    try:
        state = checkpoint_filter_fn(read_state(weights), net)
    except (KeyError, RuntimeError, AttributeError) as error:
        raise ModelError(f"{weights} does not fit {architecture}: {' '.join(str(error).split())}") from error
    state = {key: value for key, value in state.items() if not key.startswith("head.")}
    put_state(net, state, weights, architecture)


def _pretrained(architecture: str) -> tuple[nn.Module, Mapping[str, str]]:
    import timm

    try:
        net: Any = timm.create_model(architecture, pretrained=True, img_size=SIZE, num_classes=0)
    except Exception as error:  # what a hub or its cache leads to
        reason = " ".join(str(error).split())[:300]
        raise ModelError(
            f"timm cannot load {architecture}: {reason}; name a file with --weights, or bring it with "
            f"`fairaudit fetch hf:timm/{architecture}.lvd142m`"
        ) from error
    tag = net.pretrained_cfg.get("tag", "")
    return net, {"timm": f"{architecture}.{tag}".rstrip(".")}
