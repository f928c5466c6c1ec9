"""Class-conditional diffusion transformers."""

from __future__ import annotations

import torch
from torch import Tensor

from fairaudit.denoiser import Edit
from fairaudit.embedding import Embedding
from fairaudit.models.execution import Execution
from fairaudit.models.families.base import Family, refuse_size
from fairaudit.models.families.classes import Classes, SoftLookup
from fairaudit.needs import Need


class DiT(Family):
    """A DiTPipeline (Peebles & Xie 2023, arXiv 2212.09748): classes by number or by `id2label`."""

    kind = "DiTPipeline"
    steps = 50
    guidance_scale = 4.0
    network_part = "transformer"
    offers = frozenset({Need.VALUES, Need.EMPTY, Need.SPATIAL})

    def _set_up(self, source: str, execution: Execution) -> None:
        config, factor = self.network.config, 2 ** (len(self.pipeline.vae.config.block_out_channels) - 1)
        refuse_size(execution, config.sample_size * factor, config.sample_size * factor)
        self.latent_shape = (config.in_channels, config.sample_size, config.sample_size)
        count = config.num_embeds_ada_norm
        # The class after the last is the one that training dropped labels to.
        self.classes = Classes(self.pipeline.labels, count, null=count)
        for block in self.network.transformer_blocks:
            embedder = block.norm1.emb.class_embedder
            embedder.embedding_table = SoftLookup(embedder.embedding_table)

    def encode(self, text: str) -> Embedding:
        """The weights (classes,) of a class, or of the null class for the empty text."""
        return self.classes.embed(text, self.dtype, self.device)

    @torch.no_grad()
    def predict(self, x: Tensor, t: Tensor, condition: Embedding, edit: Edit | None = None) -> Tensor:
        """The transformer's noise; the variance that it learned beside it is left out, as ever."""
        output: Tensor = self.network(
            x, timestep=t.expand(len(x)), class_labels=condition.tokens, return_dict=False
        )[0]
        return output[:, : self.latent_shape[0]]
