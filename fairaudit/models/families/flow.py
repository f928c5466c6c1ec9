"""Transformers trained by flow matching: Stable Diffusion 3 and FLUX."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from fairaudit.denoiser import Edit
from fairaudit.embedding import Embedding
from fairaudit.models.execution import Execution
from fairaudit.models.families.base import Family, latent_size
from fairaudit.models.schedulers import set_steps
from fairaudit.needs import Need

_OFFERS = frozenset({Need.VALUES, Need.TEXT, Need.EMPTY, Need.SPATIAL})


class StableDiffusion3(Family):
    """A StableDiffusion3Pipeline (Esser et al. 2024, arXiv 2403.03206), with or without its T5."""

    kind = "StableDiffusion3Pipeline"
    steps = 28
    guidance_scale = 7.0
    network_part = "transformer"
    offers = _OFFERS

    def _set_up(self, source: str, execution: Execution) -> None:
        config, patch = self.network.config, self.network.config.patch_size
        self.latent_shape = (
            config.in_channels,
            *(
                patch * latent_size(pixels, config.sample_size // patch, unit, side)
                for unit in [patch * self.pipeline.vae_scale_factor]
                for pixels, side in ((execution.height, "height"), (execution.width, "width"))
            ),
        )

    @torch.no_grad()
    def encode(self, text: str) -> Embedding:
        """Hidden states (length, width) of CLIP and T5 one after the other, and pooled CLIP (width,)."""
        tokens, _, pooled, _ = self.pipeline.encode_prompt(
            text, None, None, device=self.device, do_classifier_free_guidance=False
        )
        return Embedding(tokens[0].to(self.dtype), pooled[0].to(self.dtype))

    @torch.no_grad()
    def predict(self, x: Tensor, t: Tensor, condition: Embedding, edit: Edit | None = None) -> Tensor:
        """The transformer's velocity."""
        output: Tensor = self.network(
            hidden_states=x,
            timestep=t.expand(len(x)),
            encoder_hidden_states=condition.tokens,
            pooled_projections=condition.pooled,
            return_dict=False,
        )[0]
        return output

    def _set_timesteps(self, scheduler: Any, steps: int) -> None:
        patch = self.network.config.patch_size
        shift = dynamic_shift(scheduler, self.latent_shape, patch)
        set_steps(scheduler, steps, self.device, **shift)


class Flux(Family):
    """A FluxPipeline (Black Forest Labs 2024): guidance-distilled [dev], or [schnell] without guidance.

    The latents of the loop are (channels, height, width); they are packed into 2 x 2 patches only for
    the transformer.
    """

    kind = "FluxPipeline"
    steps = 28
    guidance_scale = 3.5
    network_part = "transformer"
    distilled = True
    offers = _OFFERS

    def _set_up(self, source: str, execution: Execution) -> None:
        unit, default = 2 * self.pipeline.vae_scale_factor, self.pipeline.default_sample_size // 2
        height = latent_size(execution.height, default, unit, "height")
        width = latent_size(execution.width, default, unit, "width")
        self.latent_shape = (self.network.config.in_channels // 4, 2 * height, 2 * width)
        self._places = self.pipeline._prepare_latent_image_ids(1, height, width, self.device, self.dtype)
        self._guidance: Tensor | None = None
        if self.network.config.guidance_embeds:
            self._guidance = torch.tensor([execution.guidance_scale], device=self.device)

    @torch.no_grad()
    def encode(self, text: str) -> Embedding:
        """Hidden states (length, width) of T5, and pooled CLIP (width,)."""
        tokens, pooled, _ = self.pipeline.encode_prompt(text, device=self.device)
        return Embedding(tokens[0].to(self.dtype), pooled[0].to(self.dtype))

    @torch.no_grad()
    def predict(self, x: Tensor, t: Tensor, condition: Embedding, edit: Edit | None = None) -> Tensor:
        """The transformer's velocity; it has no convolution, so patches are all it sees."""
        count = len(x)
        packed = self.network(
            hidden_states=pack(x),
            timestep=t.expand(count).to(x.dtype) / 1000,
            guidance=None if self._guidance is None else self._guidance.expand(count),
            pooled_projections=condition.pooled,
            encoder_hidden_states=condition.tokens,
            txt_ids=torch.zeros(condition.tokens.shape[1], 3, device=self.device, dtype=self.dtype),
            img_ids=self._places,
            return_dict=False,
        )[0]
        return unpack(packed, x.shape)

    def _set_timesteps(self, scheduler: Any, steps: int) -> None:
        sigmas = None if scheduler.config.get("use_flow_sigmas") else np.linspace(1.0, 1 / steps, steps)
        shift = dynamic_shift(scheduler, self.latent_shape, 2)
        set_steps(scheduler, steps, self.device, sigmas=sigmas, **shift)


def dynamic_shift(scheduler: Any, shape: tuple[int, ...], patch: int) -> dict[str, float]:
    """`mu`, by which larger pictures are given more noise, for schedulers that ask for it.

    Linear in the number of patches between two sizes of the configuration (Esser et al., 5.3.2).
    """
    config = scheduler.config
    if not config.get("use_dynamic_shifting"):
        return {}
    patches = (shape[1] // patch) * (shape[2] // patch)
    low, high = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    least, most = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    slope = (most - least) / (high - low)
    return {"mu": patches * slope + (least - slope * low)}


def pack(x: Tensor) -> Tensor:
    """Latents (n, c, h, w) as patches (n, h/2 w/2, 4c)."""
    n, c, h, w = x.shape
    patches = x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return patches.reshape(n, h * w // 4, 4 * c)


def unpack(patches: Tensor, shape: torch.Size) -> Tensor:
    """The inverse of `pack` for latents of a shape."""
    n, c, h, w = shape
    return patches.reshape(n, h // 2, w // 2, c, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(shape)
