"""UNets over pixels, class-conditional or unconditional."""

from __future__ import annotations

import json

import torch
from torch import Tensor

from fairaudit.denoiser import Edit
from fairaudit.embedding import Embedding
from fairaudit.errors import ModelError
from fairaudit.models.execution import Execution
from fairaudit.models.families.base import Family, edited, refuse_size
from fairaudit.models.families.classes import Classes, SoftLookup
from fairaudit.models.loading import find_file
from fairaudit.needs import Need

NAMES = "classes.json"


class DDPM(Family):
    """A DDPMPipeline (Ho et al. 2020, arXiv 2006.11239) with a UNet2DModel.

    With `num_class_embeds` the model is class-conditional. Names of the classes come from a file
    `classes.json` beside model_index.json, a list in the order of the numbers: ``["female", "male"]``.
    A table with one row more than names has the null class last, and then takes guidance.
    """

    kind = "DDPMPipeline"
    steps = 1000
    guidance_scale = 1.0

    def _set_up(self, source: str, execution: Execution) -> None:
        config = self.network.config
        size = config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        refuse_size(execution, height, width)
        if config.out_channels != config.in_channels:
            raise ModelError(f"{source} also predicts a variance, which no sampler here takes")
        self.latent_shape = (config.in_channels, height, width)
        self.classes = _classes(source, config.class_embed_type, config.num_class_embeds)
        offers = {Need.SPATIAL}
        if self.network.mid_block is not None:
            offers.add(Need.HIDDEN)
        if self.classes is not None:
            self.network.class_embedding = SoftLookup(self.network.class_embedding)
            offers.add(Need.VALUES)
            if self.classes.null is not None:
                offers.add(Need.EMPTY)
        self.offers = frozenset(offers)

    def encode(self, text: str) -> Embedding:
        """The weights (classes,) of a class; an unconditional model is told nothing, (0,)."""
        if self.classes is None:
            return Embedding(torch.zeros(0, dtype=self.dtype, device=self.device))
        return self.classes.embed(text, self.dtype, self.device)

    @torch.no_grad()
    def predict(self, x: Tensor, t: Tensor, condition: Embedding, edit: Edit | None = None) -> Tensor:
        """The UNet's output: noise, velocity or picture, as the scheduler expects it."""
        labels = None if self.classes is None else condition.tokens
        with edited(self.network, edit):
            output: Tensor = self.network(x, t, class_labels=labels, return_dict=False)[0]
        return output

    def picture(self, latents: Tensor) -> Tensor:
        """The latents are the pictures."""
        return latents


class DDIM(DDPM):
    """A DDIMPipeline (Song et al. 2021, arXiv 2010.02502): the same network, deterministic steps."""

    kind = "DDIMPipeline"
    steps = 50


def _classes(source: str, embedded: str | None, rows: int | None) -> Classes | None:
    """The classes of a UNet2DModel whose table has so many rows."""
    if embedded is not None:
        raise ModelError(f"{source} embeds classes by {embedded!r}; only a table of classes can be sampled")
    if rows is None:
        return None
    path = find_file(source, NAMES)
    if path is None:
        return Classes({}, rows, None)
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from error
    if not isinstance(names, list) or len(set(map(str, names))) != len(names):
        raise ModelError(f"{path} must be a list of the classes' names, each once")
    if len(names) not in (rows, rows - 1):
        raise ModelError(f"{path} names {len(names)} classes; the model has {rows}, the null class included")
    null = len(names) if len(names) < rows else None
    return Classes({str(name): number for number, name in enumerate(names)}, len(names), null)
