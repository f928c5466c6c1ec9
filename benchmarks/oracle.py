"""Every registered sampler on Gaussian mixtures, where shares, means, entropy and the target law are exact.

    python benchmarks/oracle.py > docs/explanation/oracle.md

Prints the Markdown page that it is kept as. Two mixtures of pictures of 4 x 4 grey cells are sampled with
exact noise predictions: gender shows in the four cells of the middle, age in the twelve around them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import digamma, gammaln
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from fairaudit import registry
from fairaudit.asking import Room
from fairaudit.attributes import ATTRIBUTES, Attribute, join
from fairaudit.diffusion import sample
from fairaudit.errors import UsageError
from fairaudit.guides import offered
from fairaudit.models.gaussian import GaussianModel
from fairaudit.models.meanings import Meanings
from fairaudit.models.mixtures import Mixture, make_mixture
from fairaudit.needs import Need, check_needs
from fairaudit.prompts import Prompt
from fairaudit.sampling import EditsImages, Request, Sampler

GENDER = ATTRIBUTES["gender"]
AGE = Attribute("age", {"young": "young", "old": "old"})
BOTH = join([GENDER, AGE])
PROMPT = Prompt("a photo of a {attribute} nurse")

DEVIATION = 0.6
"""Of every cell, within a component; root mean square over the cells where they are correlated."""

OTHERS: Mapping[str, Sequence[dict[str, Any]]] = {
    "bi-noising": [{"inner": "baseline", "window": 1.0}],
    "classifier-guidance": [{"through": "noisy"}],
    "decodi": [{"bias_text": "female person"}],
    "distribution-guidance": [{"through": "noisy"}],
    "gcdm": [{"joint": 0.0}, {"joint": 1.0}],
    "guidance": [{"threshold": 0.0}],
    "mixing": [{"of": "noise"}],
    "switching": [{"tau": 0.51}],
}
"""Parameters beside the defaults."""

PREAMBLE = """# Samplers against the truth

Made by `python benchmarks/oracle.py{arguments}`, not by hand.

Two Gaussian mixtures are sampled with exact noise predictions by every registered sampler, with its
default parameters and, where it says so, with others: {images} images of one prompt from the same noise,
{steps} steps of DDIM (ancestral DDPM where a sampler needs noise at every step), guidance scale 1. The
network is perfect, so whatever is off is the sampler's doing, or that of the number of steps, which the
row of prompt-intervention shows alone. The pictures have 4 x 4 grey cells; gender shows in the four of the
middle, age in the twelve around them. 85 % of the images of the neutral prompt are female. The target is
even: of the genders, and for the samplers of several attributes of all four combinations.

Defaults are those of the papers and meant for pictures of faces, not for these mixtures: where a strength
is far too much here (guidance, classifier-guidance through the clean picture), the table says what too much
does, not what the method is worth. The words that decodi takes by default name all values, which here is what
the empty text says, so that it changes nothing. Mixing noise and switching make pictures between the
values, where a share says little; how far between is the mean off, and how alike they are the entropy.

- **female, young**: shares by the exact posterior.
- **mean off**: largest distance, over the genders, between the mean of the images that read as it and
  that of the target law, in standard deviations of a cell; about {off:.2f} by chance alone.
- **entropy**: of the two numbers that gender and age show in, in nats, by nearest neighbours
  (Kozachenko & Leonenko 1987); the target law's beside it, by the same estimate on as many draws.
- **distance**: sliced Wasserstein-2 distance to the target law over {directions} directions; *by chance* is
  the mean of that between two sets of as many draws from the law.
- **cost**: network evaluations an image.
"""

DIRECTIONS = 128


@dataclass(frozen=True)
class Truth:
    """What a sampler is held against: the law that has the target's shares, and draws from it.

    Parameters
    ----------
    draws
        Samples (images, 16) of as many points as there are images.
    """

    law: Mixture
    draws: tuple[Tensor, ...]
    entropy: float
    chance: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=50, help="a divisor of 1000")
    options = parser.parse_args()
    given = "".join(
        f" --{name} {value}" for name, value in vars(options).items() if value != parser.get_default(name)
    )
    print(
        PREAMBLE.format(
            arguments=given, directions=DIRECTIONS, off=_off_by_chance(options.images), **vars(options)
        )
    )
    for title, model in WORLDS.items():
        print_world(title, model(), options.images, options.steps)


def independent() -> GaussianModel:
    """Age does not depend on gender, and all components are round."""
    weights = [women * young for women in (0.85, 0.15) for young in (0.6, 0.4)]
    return _model(torch.full((4,), DEVIATION**2), weights)


def dependent() -> GaussianModel:
    """Women are young and men old, and the components are stretched, each gender's its own way."""
    generator = torch.Generator().manual_seed(7)
    stretched = []
    for _ in GENDER.values:
        roots = torch.randn(16, 32, generator=generator, dtype=torch.float64)
        covariance = roots @ roots.T
        stretched += [DEVIATION**2 * 16 * covariance / covariance.trace()] * 2
    return _model(torch.stack(stretched), [0.7, 0.15, 0.05, 0.1])


WORLDS = {
    "Gender and age independent": independent,
    "Gender and age dependent, correlated cells": dependent,
}


def _model(covariances: Tensor, weights: list[float]) -> GaussianModel:
    middle = torch.zeros(4, 4, dtype=torch.bool)
    middle[1:3, 1:3] = True
    means = [torch.where(middle, gender, age).flatten() for gender in (1.0, -1.0) for age in (0.6, -0.6)]
    cells = tuple(BOTH.split(value) for value in BOTH.values)
    mixture = make_mixture(torch.stack(means), covariances, torch.tensor(weights, dtype=torch.float64))
    return GaussianModel(mixture, Meanings((GENDER, AGE), cells, {"nurse": weights}), (1, 4, 4))


def print_world(title: str, model: GaussianModel, images: int, steps: int) -> None:
    """The table of one mixture."""
    print(f"## {title}\n")
    print("| sampler | female | young | mean off | entropy (target) | distance (by chance) | cost |")
    print("|---|---|---|---|---|---|---|")
    truths = {aim.name: _truth(model, aim, images) for aim in (GENDER, BOTH)}
    refused = []
    for name in registry.names("samplers"):
        for parameters in ({}, *OTHERS.get(name, ())):
            try:
                print(f"| {_row(model, truths, name, parameters, images=images, steps=steps)} |", flush=True)
            except UsageError as error:
                refused.append(f"- {error}.")
    print("\nRefused, as a plan would be:\n\n" + "\n".join(refused) + "\n")


def _row(
    model: GaussianModel,
    truths: Mapping[str, Truth],
    name: str,
    parameters: dict[str, Any],
    *,
    images: int,
    steps: int,
) -> str:
    """A sampler's cells; one that does not fit the mixture raises `UsageError`."""
    sampler: Sampler = registry.load("samplers", name)(**parameters)
    aim = BOTH if Need.SEVERAL in sampler.needs else GENDER
    kind = "ddpm" if Need.STOCHASTIC in sampler.needs else "ddim"
    # Every step of DDIM and of DDPM starts from the latents that it is given.
    offers = offered(model, None, None, kind == "ddpm", aim) | {Need.RESTARTS}
    check_needs(name, sampler.needs, offers, "the mixture")
    target = dict.fromkeys(aim.values, 1 / len(aim.values))
    request = Request(PROMPT, tuple(range(images)), aim, target, 1.0, 1, model.guides(aim, PROMPT.text))
    first = [registry.load("samplers", sampler.edits)()] if isinstance(sampler, EditsImages) else []
    room = Room(2 * images)
    found = sample(model, [*first, sampler], request, scheduler=kind, steps=steps, room=room)[name]
    said = ", ".join(f"{parameter}={value}" for parameter, value in parameters.items())
    title = f"{name} ({said})" if said else name
    measured = _measured(model, found.latents.flatten(1), truths[aim.name])
    return f"{title} | {measured} | {found.evaluations}"


def _truth(model: GaussianModel, aim: Attribute, images: int) -> Truth:
    """Every value with the same share, the rest as the prompt has it under that value."""
    texts = [PROMPT.with_value(aim, value) for value in aim.values]
    law = model.mixture.given(torch.stack([model.meanings.weights(text) for text in texts]).mean(0))
    generator = torch.Generator().manual_seed(1)
    draws = tuple(law.draw(images, generator)[0] for _ in range(9))
    chance = np.mean([sliced_wasserstein(one, draws[0]) for one in draws[1:]])
    return Truth(law, draws, float(np.mean([entropy(_shown(one)) for one in draws])), float(chance))


def _measured(model: GaussianModel, x: Tensor, truth: Truth) -> str:
    cells = model.mixture.given(torch.full((4,), 0.25)).log_posterior(x).argmax(1)
    female, young = cells < 2, cells % 2 == 0
    off = [_mean_off(x[chosen], truth.law, of) for chosen, of in ((female, [0, 1]), (~female, [2, 3]))]
    distance = np.mean([sliced_wasserstein(x, one) for one in truth.draws])
    return (
        f"{female.double().mean():.3f} | {young.double().mean():.3f} | {max(off):.2f} | "
        f"{entropy(_shown(x)):.2f} ({truth.entropy:.2f}) | {distance:.3f} ({truth.chance:.3f})"
    )


def _mean_off(x: Tensor, law: Mixture, rows: list[int]) -> float:
    """Distance of means, in deviations of a cell, among the images of the components `rows`."""
    part = torch.zeros(4, dtype=torch.float64)
    part[rows] = law.weights[rows]
    return float((x.mean(0) - law.given(part / part.sum()).mean()).norm()) / DEVIATION


def _off_by_chance(images: int) -> float:
    """Expected distance of the mean of half of the images from that of their law, in 16 dimensions."""
    return math.sqrt(2) * math.exp(gammaln(8.5) - gammaln(8)) / math.sqrt(images / 2)


def _shown(x: Tensor) -> Tensor:
    """Gender and age (n, 2) as they show: the sums over their cells, scaled to keep lengths."""
    pictures = x.reshape(-1, 4, 4)
    middle = pictures[:, 1:3, 1:3].sum((1, 2))
    return torch.stack([middle / 2, (pictures.sum((1, 2)) - middle) / math.sqrt(12)], 1)


def entropy(x: Tensor, neighbours: int = 4) -> float:
    """Differential entropy of a law by the distances (n, d) of draws from it, in nats."""
    count, size = x.shape
    finder = NearestNeighbors(n_neighbors=neighbours + 1).fit(x.numpy())
    far = finder.kneighbors(x.numpy())[0][:, -1]
    ball = size / 2 * math.log(math.pi) - gammaln(size / 2 + 1)
    return float(digamma(count) - digamma(neighbours) + ball + size * np.log(far + 1e-300).mean())


def sliced_wasserstein(one: Tensor, other: Tensor) -> float:
    """Root mean square over directions of the Wasserstein-2 distance of two samples of one size."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(one.shape[1], DIRECTIONS, generator=generator, dtype=torch.float64)
    directions = directions / directions.norm(dim=0)
    apart = (one @ directions).sort(0).values - (other @ directions).sort(0).values
    return float(apart.square().mean().sqrt())


if __name__ == "__main__":
    main()
