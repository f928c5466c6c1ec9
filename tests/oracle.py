"""Worlds where everything is known, and samplers by name, as black boxes, for the tests of theory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from fairaudit import registry
from fairaudit.asking import Room
from fairaudit.attributes import Attribute, get_attribute, join
from fairaudit.diffusion import Sampled, sample
from fairaudit.models.gaussian import COSINE, GaussianModel
from fairaudit.models.meanings import Meanings
from fairaudit.models.mixtures import make_mixture
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request, Sampler

GENDER = get_attribute("gender")
AGE = Attribute("age", {"young": "young", "old": "old"})
PROMPT = "a photo of a {attribute} nurse"


def world(
    attributes: tuple[Attribute, ...],
    means: Any,
    weights: tuple[float, ...],
    deviation: float,
    betas: str = COSINE,
) -> GaussianModel:
    """One component a combination of values; the nurse is the only occupation, so also the empty text."""
    values = join(attributes)
    cells = tuple(values.split(value) for value in values.values)
    mixture = make_mixture(
        torch.tensor(means, dtype=torch.float64),
        torch.full((len(cells),), deviation**2, dtype=torch.float64),
        torch.tensor(weights, dtype=torch.float64),
    )
    meanings = Meanings(attributes, cells, {"nurse": weights})
    return GaussianModel(mixture, meanings, (mixture.means.shape[1],), betas=betas)


def made(registered: str, **parameters: Any) -> Sampler:
    sampler: Sampler = registry.load("samplers", registered)(**parameters)
    return sampler


def several(registered: str, parameter: str, *values: float, **others: Any) -> list[Sampler]:
    """A sampler for every value of a parameter, called by it."""
    return [made(registered, name=f"{value}", **{parameter: value}, **others) for value in values]


def asked(
    attribute: Attribute,
    count: int,
    *,
    text: str = PROMPT,
    scale: float = 1.0,
    target: Mapping[str, float] | None = None,
) -> Request:
    goal = target or dict.fromkeys(attribute.values, 1 / len(attribute.values))
    return Request(Prompt(text), tuple(range(count)), attribute, goal, scale, 3)


def draw(
    model: GaussianModel, request: Request, *samplers: Sampler, steps: int = 50, kind: str = "ddim"
) -> dict[str, Sampled]:
    guided = replace(request, guides=model.guides(request.attribute, request.prompt.text))
    rows = Room(4 * len(request.indices))
    return sample(model, samplers, guided, scheduler=kind, steps=steps, room=rows)
