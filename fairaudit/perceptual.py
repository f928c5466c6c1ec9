"""LPIPS: how different paired images look (Zhang et al., CVPR 2018)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairaudit.digests import sha256_of
from fairaudit.errors import ModelError

NO_WEIGHTS = "the weights of AlexNet are not on this machine; get them with `fairaudit fetch alexnet`"
METHOD = "LPIPS 0.1 on AlexNet"
_BATCH = 32
_LAYERS = {0: 1, 3: 2, 6: 3, 8: 4, 10: 5}
"""Convolutions of torchvision's AlexNet, and the slice of the package lpips that holds them."""


def lpips_distance(
    a: Sequence[NDArray[np.uint8]], b: Sequence[NDArray[np.uint8]], weights: Path
) -> NDArray[np.float64]:
    """LPIPS (n,) of paired images (h, w, 3) of one size each, 0 for equal ones.

    The linear layers are those of the package lpips, version 0.1; the network below is torchvision's.

    Parameters
    ----------
    weights
        torchvision's AlexNet; only its convolutions are used.

    Raises
    ------
    ModelError
        If the file holds no such weights.
    """
    import torch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = _load(weights).to(device)
    found = []
    with torch.inference_mode():
        for first, second in _batches(a, b):
            pair = [
                torch.from_numpy(some).to(device).permute(0, 3, 1, 2) / 127.5 - 1 for some in (first, second)
            ]
            found.append(network(*pair).flatten().double().cpu().numpy())
    return np.concatenate(found) if found else np.zeros(0)


def distance_key(weights: Path) -> str:
    """A name for distances by these weights: others give others."""
    changed = weights.stat()
    return f"lpips-0.1-{_digest(weights, changed.st_mtime_ns, changed.st_size)[:12]}"


@lru_cache(maxsize=4)
def _digest(weights: Path, *_: int) -> str:
    return sha256_of(weights)


def _batches(
    a: Sequence[NDArray[np.uint8]], b: Sequence[NDArray[np.uint8]]
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    for begin in range(0, len(a), _BATCH):
        yield np.stack(a[begin : begin + _BATCH]), np.stack(b[begin : begin + _BATCH])


@lru_cache(maxsize=1)
def _load(weights: Path) -> Any:
    import torch
    from lpips import LPIPS

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's, about how lpips asks it for a network
        network = LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
    try:
        stored = torch.load(weights, map_location="cpu", weights_only=True)
        layers = {
            f"slice{part}.{place}.{kind}": stored[f"features.{place}.{kind}"]
            for place, part in _LAYERS.items()
            for kind in ("weight", "bias")
        }
        network.net.load_state_dict(layers)
    except Exception as error:  # whatever a file of another kind leads to
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{weights} holds no AlexNet of torchvision: {reason}") from error
    return network
