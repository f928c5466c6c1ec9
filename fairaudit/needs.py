"""What samplers need and generators offer; a plan that asks for more than there is is refused."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import Enum

from fairaudit.errors import UsageError


class Need(Enum):
    """Something a sampler cannot do without, in the words of the refusal."""

    VALUES = "a model that can be asked for a value (by a text or a class)"
    TEXT = "a model that takes free text"
    EMPTY = "a model that also knows the empty prompt (classifier-free guidance)"
    CLEAN = "a classifier of clean pictures that gives gradients"
    NOISY = "a classifier of noisy latents"
    HIDDEN = "a classifier of the UNet's middle block (`fairaudit heads MODEL` trains one)"
    ATTENTION = "a model whose cross-attention can be weighted by token (a UNet with text)"
    STOCHASTIC = "a scheduler that draws noise at every step (--scheduler ddpm or euler-ancestral)"
    SEVERAL = "at least two attributes to debias together (--debias gender,age)"
    SPATIAL = "latents with a height and a width"
    END = "a text encoder that says where a text ends (Stable Diffusion, SDXL)"
    RESTARTS = "a scheduler whose every step starts from the latents it is given (not heun, pndm or unipc)"


def check_needs(sampler: str, needs: AbstractSet[Need], offers: AbstractSet[Need], where: str) -> None:
    """Refuse a sampler on a generator that does not offer what it needs.

    Raises
    ------
    UsageError
        With the first thing that is missing.
    """
    for need in Need:
        if need in needs and need not in offers:
            raise UsageError(f"sampler {sampler} takes {need.value}; {where} is not that")
