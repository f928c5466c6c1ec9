"""`inception`: the network that FID is defined by (Heusel et al., NeurIPS 2017), as clean-fid runs it.

`inception` is clean-fid's mode `clean` (Parmar, Zhang & Zhu, CVPR 2022), `inception-legacy` its
`legacy_pytorch`, which is pytorch-fid's. Numbers of the two are not comparable.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairaudit.cards import Card, described
from fairaudit.digests import sha256_of
from fairaudit.errors import UsageError
from fairaudit.extracting import ExtractorRequest, Kind
from fairaudit.fetching import ASSETS, find_asset
from fairaudit.networks import in_batches, read_state

SIZE = 299


class InceptionExtractor:
    """Features before the last layer of Inception-v3, 2048 a picture.

    Parameters
    ----------
    mode
        How clean-fid resizes.
    net
        Takes pictures (n, 3, 299, 299) in [0, 255].
    """

    kind: ClassVar[Kind] = "inception"

    def __init__(
        self, name: str, mode: str, net: Callable[[Tensor], Tensor], weights: Path, device: torch.device
    ) -> None:
        from cleanfid.resize import build_resizer

        self.name, self.mode, self.net, self.device = name, mode, net, device
        self._weights = weights
        with warnings.catch_warnings():  # clean-fid silences all warnings of the process
            self._resize = build_resizer(mode)

    def features(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Features (n, 2048) of pictures (h, w, 3)."""
        (found,) = in_batches(images, self._fit, lambda rows: (self.net(rows),), self.device)
        return np.asarray(found.numpy(), dtype=np.float32)

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights."""
        return {self._weights.name: sha256_of(self._weights)}

    def _fit(self, image: NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(self._resize(image)).permute(2, 0, 1).float()


def _card(name: str) -> Card:
    known = ASSETS[name]
    return Card("pictures", known.licence, known.size, lambda: find_asset(name), f"`fairaudit fetch {name}`")


@described(_card("inception"))
def load(request: ExtractorRequest) -> InceptionExtractor:
    """Inception-v3 in clean-fid's mode clean, for FID and KID."""
    from cleanfid.inception_torchscript import InceptionV3W

    weights = _weights("inception", request)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of TorchScript, which the file is
        net = InceptionV3W(str(weights.parent), download=False).to(request.device).eval()
    return InceptionExtractor("inception", "clean", net, weights, request.device)


@described(_card("inception-legacy"))
def load_legacy(request: ExtractorRequest) -> InceptionExtractor:
    """Inception-v3 in clean-fid's mode legacy_pytorch, for numbers comparable to pytorch-fid's."""
    from cleanfid import inception_pytorch

    weights = _weights("inception-legacy", request)
    net = _built(inception_pytorch, read_state(weights)).to(request.device).eval()

    def call(rows: Tensor) -> Tensor:
        (features,) = net(rows / 255)
        return torch.as_tensor(features).flatten(1)

    return InceptionExtractor("inception-legacy", "legacy_pytorch", call, weights, request.device)


def _built(module: Any, state: Mapping[str, Tensor]) -> torch.nn.Module:
    """clean-fid's network with these weights, where it would download its own."""
    download = module.load_state_dict_from_url
    module.load_state_dict_from_url = lambda url, **given: state
    try:
        net: torch.nn.Module = module.InceptionV3(output_blocks=[3], resize_input=False)
    finally:
        module.load_state_dict_from_url = download
    return net


def _weights(name: str, request: ExtractorRequest) -> Path:
    if request.weights is not None:
        raise UsageError(f"{name} takes no --weights: its numbers are those of one network")
    weights = find_asset(name)
    if weights is None:
        raise UsageError(
            f"the weights of {name} are not on this machine; get them with `fairaudit fetch {name}`, or name "
            "other features with --extractor"
        )
    return weights
