"""Stable Diffusion XL."""

from __future__ import annotations

import torch
from torch import Tensor

from fairaudit.embedding import Embedding
from fairaudit.models.execution import Execution
from fairaudit.models.families.stable_diffusion import StableDiffusion, first_end


class StableDiffusionXL(StableDiffusion):
    """A StableDiffusionXLPipeline (Podell et al. 2023, arXiv 2307.01952), without the refiner."""

    kind = "StableDiffusionXLPipeline"
    steps = 50
    guidance_scale = 5.0

    def _set_up(self, source: str, execution: Execution) -> None:
        super()._set_up(source, execution)
        _, height, width = self.latent_shape
        size = [side * self.pipeline.vae_scale_factor for side in (height, width)]
        # Sizes of the original and of the target, and between them the corner of the crop.
        self.time_ids = torch.tensor([*size, 0, 0, *size], dtype=self.dtype, device=self.device)
        if execution.dtype == torch.float16 and self.pipeline.vae.config.force_upcast:
            self.pipeline.vae.to(torch.float32)  # it overflows in float16

    @torch.no_grad()
    def encode(self, text: str) -> Embedding:
        """Hidden states (length, width) of both encoders side by side, and the pooled second (width,).

        The empty text is zeros where the pipeline is configured so, as the original SDXL is.
        """
        tokens, _, pooled, _ = self.pipeline.encode_prompt(
            text, device=self.device, do_classifier_free_guidance=False
        )
        if not text and self.pipeline.config.force_zeros_for_empty_prompt:
            tokens, pooled = torch.zeros_like(tokens), torch.zeros_like(pooled)
        end = first_end(self.pipeline.tokenizer, text)
        return Embedding(tokens[0].to(self.dtype), pooled[0].to(self.dtype), end=end)

    def _added(self, condition: Embedding) -> dict[str, Tensor]:
        assert condition.pooled is not None
        return {
            "text_embeds": condition.pooled,
            "time_ids": self.time_ids.expand(len(condition.pooled), -1),
        }
