"""What all kinds of diffusers pipelines have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairaudit.denoiser import Edit
from fairaudit.embedding import Embedding
from fairaudit.errors import UsageError
from fairaudit.models.execution import PLAIN, Execution, place
from fairaudit.models.loading import load_pipeline, quiet
from fairaudit.models.schedulers import make_scheduler, set_steps
from fairaudit.models.variants import apply_edit
from fairaudit.needs import Need


class Family(ABC):
    """A diffusers pipeline seen as a function of (x, t, condition).

    Parameters
    ----------
    source
        A pipeline folder, or the id of one on the Hugging Face hub.
    edit
        File of weights that the network is changed with, see `fairaudit.models.variants`.

    Attributes
    ----------
    kind
        Class of the pipeline in diffusers.
    steps, guidance_scale
        What the pipeline takes when its caller says nothing.
    """

    kind: ClassVar[str]
    steps: ClassVar[int]
    guidance_scale: ClassVar[float]
    network_part: ClassVar[str] = "unet"
    distilled: bool = False
    latent_shape: tuple[int, ...]
    offers: frozenset[Need]

    def __init__(
        self,
        source: str,
        device: torch.device,
        execution: Execution = PLAIN,
        edit: Path | None = None,
    ) -> None:
        self.device, self.dtype = device, execution.dtype
        self.pipeline = load_pipeline(source, self.kind, execution.dtype)
        self.network = getattr(self.pipeline, self.network_part)
        if edit is not None:
            apply_edit(self.pipeline, self.network, edit)
        with quiet():
            place(self.pipeline, self.network, device, execution)
        self._set_up(source, execution)

    @abstractmethod
    def _set_up(self, source: str, execution: Execution) -> None:
        """Fill in what depends on the network: the shape of latents, what is offered, what is cached."""

    def scheduler(self, kind: str, steps: int) -> Any:
        """The model's own scheduler, or another kind with the model's noise schedule."""
        scheduler = make_scheduler(self.pipeline.scheduler, kind)
        self._set_timesteps(scheduler, steps)
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(0)
        return scheduler

    def _set_timesteps(self, scheduler: Any, steps: int) -> None:
        set_steps(scheduler, steps, self.device)

    @abstractmethod
    def encode(self, text: str) -> Embedding:
        """The embedding of one text."""

    @abstractmethod
    def predict(self, x: Tensor, t: Tensor, condition: Embedding, edit: Edit | None = None) -> Tensor:
        """The network's output, as the scheduler expects it."""

    def picture(self, latents: Tensor) -> Tensor:
        """Pictures (n, 3, height, width) in [-1, 1] of clean latents, differentiable."""
        vae = self.pipeline.vae
        decoded: Tensor = vae.decode(unscaled(vae.config, latents).to(vae.dtype), return_dict=False)[0]
        return decoded

    @torch.no_grad()
    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Pictures (n, height, width, 3) of latents (n, ...), one at a time to spare memory."""
        return np.concatenate([as_bytes(self.picture(latent[None])) for latent in latents])


def unscaled(config: Any, latents: Tensor) -> Tensor:
    """Latents as a decoder wants them: the scale, and the shift or the moments where it has them."""
    scale: float = config.scaling_factor
    if config.get("latents_mean") is not None and config.get("latents_std") is not None:
        mean, std = (
            torch.tensor(config[name]).view(1, -1, 1, 1).to(latents)
            for name in ("latents_mean", "latents_std")
        )
        return latents * std / scale + mean
    shift: float | None = config.get("shift_factor")
    return latents / scale if shift is None else latents / scale + shift


def as_bytes(pictures: Tensor) -> NDArray[np.uint8]:
    """Pictures (n, channels, height, width) in [-1, 1] as (n, height, width, 3); grey ones thrice."""
    unit = (pictures.float() / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    array = unit.expand(*unit.shape[:3], 3).cpu().numpy()
    return np.round(array * 255).astype(np.uint8)


def latent_size(pixels: int | None, default: int, factor: int, side: str) -> int:
    """Latents along one side of a picture, of which each is `factor` pixels; refuses parts of one."""
    if pixels is None:
        return default
    if pixels % factor:
        raise UsageError(f"{side} must be a multiple of {factor} for this model, not {pixels}")
    return pixels // factor


def refuse_size(execution: Execution, height: int, width: int) -> None:
    """Refuse another size than the only one that a model makes pictures of."""
    if (execution.height or height, execution.width or width) != (height, width):
        raise UsageError(f"this model makes pictures of {height} x {width} pixels only")


@contextmanager
def edited(unet: Any, edit: Edit | None) -> Iterator[None]:
    """Pass the output of a UNet's middle block through `edit`, inside the `with` alone."""
    if edit is None:
        yield
        return
    with ExitStack() as stack:
        # Compiled code was traced without the hook.
        stack.enter_context(torch.compiler.set_stance("force_eager"))
        hook = unet.mid_block.register_forward_hook(lambda module, inputs, hidden: edit(hidden))
        stack.callback(hook.remove)
        yield
