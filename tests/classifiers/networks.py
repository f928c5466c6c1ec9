"""Pictures and files of weights for tests of classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from fairaudit.labelling import Classifier, ClassifierRequest

CPU = torch.device("cpu")


def request(**given: Any) -> ClassifierRequest:
    """A request on the CPU."""
    return ClassifierRequest(CPU, **given)


def pictures(count: int, side: int = 40, seed: int = 0) -> list[NDArray[np.uint8]]:
    """Blurred noise, square."""
    rng = np.random.default_rng(seed)
    noise = [Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)) for _ in range(count)]
    return [np.array(image.resize((side, side), Image.Resampling.BICUBIC)) for image in noise]


def spread(net: Any, seed: int = 0) -> Any:
    """A network with random weights whose norms fit them, so that its outputs differ between pictures."""
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    noise = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        net.train()(noise)
    return net.eval()


def assert_alone_as_together(
    classifier: Classifier, images: Sequence[NDArray[np.uint8]], rows: Sequence[int]
) -> None:
    """A picture is read the same, to the last bit, whatever else is read beside it."""
    together = classifier.read(images)
    for row in rows:
        alone = classifier.read([images[row]])
        np.testing.assert_array_equal(alone.features[0], together.features[row])
        for name, probabilities in alone.probabilities.items():
            np.testing.assert_array_equal(probabilities[0], together.probabilities[name][row])


def save(net: nn.Module, path: Path) -> Path:
    """A state dict as training scripts save it."""
    torch.save(net.state_dict(), path)
    return path
