"""The network of `builtin:faces64-classifier`: a small residual CNN with one head per attribute."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

STAGES = ((32, 1), (64, 2), (128, 2), (256, 1))
"""Channels and residual blocks at 32, 16, 8 and 4 pixels; the last width is the feature size."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm around an identity (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1: nn.Module = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2: nn.Module = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu_(self.norm1(self.conv1(x)))
        return torch.relu_(self.norm2(self.conv2(hidden)).add_(x))

    def fold(self) -> None:
        """Put the norms into the convolutions before them."""
        self.conv1, self.norm1 = _folded(self.conv1, self.norm1), nn.Identity()
        self.conv2, self.norm2 = _folded(self.conv2, self.norm2), nn.Identity()


def _folded(conv: nn.Module, norm: nn.Module) -> nn.Conv2d:
    assert isinstance(conv, nn.Conv2d), "convolutions have norms after them"
    assert isinstance(norm, nn.BatchNorm2d), "and are folded once"
    return fuse_conv_bn_eval(conv, norm)


def _row_by_row(head: nn.Module, rows: Tensor) -> Tensor:
    """What a linear layer says of rows (n, d), of each the same wherever it stands.

    A product of matrices rounds a row at its edge otherwise than in its middle, on some processors.
    """
    assert isinstance(head, nn.Linear), "heads are linear"
    return (rows.unsqueeze(1) * head.weight).sum(2) + head.bias


def _downsample(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class FaceNet(nn.Module):
    """Faces (n, 3, 64, 64) in [-1, 1] to logits (n, K) per attribute.

    Parameters
    ----------
    values
        Number of values of each attribute; one linear head is made for each.
    """

    def __init__(self, values: Mapping[str, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for width, blocks in STAGES:
            layers += [_downsample(inputs, width), *(ResidualBlock(width) for _ in range(blocks))]
            inputs = width
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.2)
        self.heads = nn.ModuleDict({name: nn.Linear(inputs, count) for name, count in values.items()})

    def fold(self) -> FaceNet:
        """The same function, up to rounding, with fewer passes over memory; for reading alone.

        Batch norms that no longer learn are put into the convolutions before them.
        """
        for layer in self.body:
            if isinstance(layer, ResidualBlock):
                layer.fold()
            elif isinstance(layer, nn.Sequential):
                layer[0], layer[1] = _folded(layer[0], layer[1]), nn.Identity()
        return self

    def features(self, images: Tensor) -> Tensor:
        """Pooled features (n, 256), the input of every head."""
        pooled: Tensor = self.body(images).mean(dim=(2, 3))
        return pooled

    def logits(self, features: Tensor) -> dict[str, Tensor]:
        """Logits (n, K) per attribute from pooled features."""
        dropped = self.dropout(features)
        return {name: _row_by_row(head, dropped) for name, head in self.heads.items()}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.logits(self.features(images))
