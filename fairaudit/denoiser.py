"""The contract of a generator that is a diffusion model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairaudit.embedding import Embedding
from fairaudit.needs import Need

Edit = Callable[[Tensor], Tensor]
"""Changes the output (n, channels, h, w) of a UNet's middle block."""


class Denoiser(Protocol):
    """A generator seen as a function: model output at (x, t, condition).

    Attributes
    ----------
    offers
        What samplers may rely on.
    distilled
        Whether guidance is an input of the network itself (FLUX); samplers then ask for the
        conditional output alone.
    """

    latent_shape: tuple[int, ...]
    device: torch.device
    dtype: torch.dtype
    offers: frozenset[Need]
    distilled: bool

    def scheduler(self, kind: str, steps: int) -> Any:
        """A fresh diffusers scheduler with its timesteps set."""

    def encode(self, text: str) -> Embedding:
        """The embedding of one text.

        Raises
        ------
        UsageError
            If the model has no such condition, for example a class it was not trained on.
        """

    def predict(self, x: Tensor, t: Tensor, condition: Embedding, edit: Edit | None = None) -> Tensor:
        """Model output (n, ...) at scaled noisy latents x (n, ...), timestep t, conditions of n images.

        `edit` is given only to generators that offer `Need.HIDDEN`.
        """

    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Pictures (n, height, width, 3) of clean latents (n, ...)."""

    def picture(self, latents: Tensor) -> Tensor:
        """Pictures (n, 3, height, width) in [-1, 1] of clean latents, differentiable and not clamped."""
