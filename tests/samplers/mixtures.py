"""Gaussian mixtures in few dimensions, as models that samplers have a closed form on."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from fairaudit.attributes import Attribute, get_attribute, join
from fairaudit.models.gaussian import GaussianModel
from fairaudit.models.meanings import Meanings
from fairaudit.models.mixtures import make_mixture
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request

GENDER = get_attribute("gender")
AGE = Attribute("age", {"young": "young", "old": "old"})
BOTH = join([GENDER, AGE])


def mixture_model(
    attributes: tuple[Attribute, ...],
    means: Sequence[Sequence[float]],
    weights: Sequence[float],
    deviation: float = 0.5,
) -> GaussianModel:
    """One component for every combination of values, in order; "nurse" has the weights."""
    values = join(attributes).values
    cells = tuple(join(attributes).split(value) for value in values)
    mixture = make_mixture(
        torch.tensor(means), torch.full((len(means),), deviation**2), torch.tensor(weights)
    )
    meanings = Meanings(attributes, cells, {"nurse": weights})
    return GaussianModel(mixture, meanings, (len(means[0]),))


def request_of(attribute: Attribute, count: int, guidance_scale: float = 1.0) -> Request:
    """That many images of a nurse, the target uniform."""
    return Request(
        prompt=Prompt("a photo of a {attribute} nurse"),
        indices=tuple(range(count)),
        attribute=attribute,
        target=dict.fromkeys(attribute.values, 1 / len(attribute.values)),
        guidance_scale=guidance_scale,
        seed=3,
    )
