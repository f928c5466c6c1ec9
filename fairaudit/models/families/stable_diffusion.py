"""Stable Diffusion 1.x and 2.x."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fairaudit.denoiser import Edit
from fairaudit.embedding import Embedding
from fairaudit.errors import ModelError
from fairaudit.models.attention import emphasised
from fairaudit.models.execution import Execution
from fairaudit.models.families.base import Family, edited, latent_size
from fairaudit.needs import Need


class StableDiffusion(Family):
    """A StableDiffusionPipeline (Rombach et al. 2022, arXiv 2112.10752)."""

    kind = "StableDiffusionPipeline"
    steps = 50
    guidance_scale = 7.5

    def _set_up(self, source: str, execution: Execution) -> None:
        config = self.network.config
        if config.time_cond_proj_dim is not None:
            raise ModelError(f"{source} is distilled with its guidance scale as an input of the UNet")
        factor, size = self.pipeline.vae_scale_factor, config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        self.latent_shape = (
            config.in_channels,
            latent_size(execution.height, height, factor, "height"),
            latent_size(execution.width, width, factor, "width"),
        )
        hidden = {Need.HIDDEN} if self.network.mid_block is not None else set()
        self.offers = frozenset(
            {Need.VALUES, Need.TEXT, Need.EMPTY, Need.SPATIAL, Need.ATTENTION, Need.END} | hidden
        )

    @torch.no_grad()
    def encode(self, text: str) -> Embedding:
        """Hidden states (length, width) of the text encoder, padded and cut as the pipeline does."""
        hidden, _ = self.pipeline.encode_prompt(text, self.device, 1, False)
        return Embedding(hidden[0].to(self.dtype), end=first_end(self.pipeline.tokenizer, text))

    @torch.no_grad()
    def predict(self, x: Tensor, t: Tensor, condition: Embedding, edit: Edit | None = None) -> Tensor:
        """The UNet's output: noise or velocity, as the scheduler expects it."""
        with emphasised(self.network, condition.emphasis), edited(self.network, edit):
            output: Tensor = self.network(
                x,
                t,
                encoder_hidden_states=condition.tokens,
                added_cond_kwargs=self._added(condition),
                return_dict=False,
            )[0]
        return output

    def _added(self, condition: Embedding) -> dict[str, Tensor] | None:
        """What the UNet is told beside the tokens."""
        return None


def first_end(tokenizer: Any, text: str) -> Tensor:
    """Position () of the first end-of-text token."""
    tokens = tokenizer(
        text,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids[0]
    position: Tensor = (tokens == tokenizer.eos_token_id).to(torch.int64).argmax()
    return position
