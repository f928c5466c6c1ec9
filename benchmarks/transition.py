"""How good the criteria for the transition point are on mixtures, where the best one is known.

    python benchmarks/transition.py mixtures cycles twice --out build/transition

Every part prints what it found and writes it to --out as JSON; the table of docs/explanation/switching.md
is made of `mixtures`, its pictures by `transition_pictures.py`. Some minutes each on two CPU cores.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fairaudit import registry
from fairaudit.asking import Room
from fairaudit.attributes import Attribute, get_attribute
from fairaudit.diffusion import sample
from fairaudit.models.gaussian import GaussianModel, value_posterior
from fairaudit.models.meanings import Meanings
from fairaudit.models.mixtures import Mixture, make_mixture
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request
from fairaudit.transition.criteria import CRITERIA, Found, Measure, Search
from fairaudit.transition.curves import Array
from fairaudit.transition.distances import sliced_wasserstein
from fairaudit.transition.exact import exact_search
from fairaudit.transition.paths import Paths, Steps
from fairaudit.transition.search import cycle_points
from fairaudit.transition.setting import Pair, Setting, draw

GENDER = get_attribute("gender")
PAIR: Pair = ("female", "male")
PERSON = "a photo of a {attribute} person"


@dataclass(frozen=True)
class World:
    """A mixture whose components have values."""

    about: str
    values: tuple[str, ...]
    means: list[list[float]]
    covariances: list[Any]
    shares: list[float]

    def model(self, attribute: Attribute) -> tuple[GaussianModel, Measure]:
        """The generator, and the exact posterior of the first value less that of the second."""
        meanings = Meanings(
            (attribute,), tuple((value,) for value in self.values), {"person": tuple(self.shares)}
        )
        mixture = self.mixture()

        def measure(latents: Tensor) -> Array:
            found = value_posterior(mixture, meanings.members(attribute), latents).exp()
            return (found[:, 0] - found[:, 1]).numpy()

        return GaussianModel(mixture, meanings, (len(self.means[0]),)), measure

    def mixture(self) -> Mixture:
        means, covariances, shares = map(torch.tensor, (self.means, self.covariances, self.shares))
        return make_mixture(means, covariances, shares)


F, M = PAIR
CORNERS = [[-1.0, -2.0], [-1.0, 2.0], [1.0, -2.0], [1.0, 2.0]]
WORLDS = {
    "shift": World("a mean shift alone", (F, M), [[-1.0, 0.0], [1.0, 0.0]], [0.3, 0.3], [0.5, 0.5]),
    "groups": World("a mean shift, two groups each", (F, F, M, M), CORNERS, [0.1] * 4, [0.25] * 4),
    "content": World("correlated content", (F, F, M, M), CORNERS, [0.1] * 4, [0.4, 0.1, 0.1, 0.4]),
    "covariances": World(
        "other covariances", (F, M), [[-0.5, 0.0], [0.5, 0.0]],
        [[[1.0, 0.0], [0.0, 0.05]], [[0.05, 0.0], [0.0, 1.0]]], [0.5, 0.5],
    ),
}  # fmt: skip


def mixtures(out: Path) -> None:
    """Every criterion beside the tau that truly brings the two laws nearest."""
    found: dict[str, Any] = {}
    for name, world in WORLDS.items():
        model, measure = world.model(GENDER)
        truth = _truth(model)
        entry = found[name] = {"about": world.about, **truth, "criteria": {}}
        exact = [
            exact_search(
                Search(_setting(model, 50), draw(_setting(model, 50), range(32 * b, 32 * b + 32)), PAIR)
            )
            for b in range(4)
        ]
        taus = [one.curve.tau for one in exact]
        entry["criteria"]["published, exact"] = _row(
            float(np.mean(taus)), min(taus), max(taus), exact[0].evaluations, truth
        )
        for steps in (50, 20):
            setting = _setting(model, steps)
            search = Search(setting, draw(setting, range(128)), PAIR, measure)
            for criterion, ask in CRITERIA.items():
                entry["criteria"][f"{criterion}, {steps} steps"] = _of(ask(search), truth)
        _print(entry)
        (out / "mixtures.json").write_text(json.dumps(found, indent=1))


def _truth(model: GaussianModel, images: int = 1000, steps: int = 50) -> dict[str, Any]:
    """Sliced Wasserstein distance of both orders at every cut, by many images."""
    setting = _setting(model, steps, rows=2 * images)
    paths = Paths(setting, draw(setting, range(images)), PAIR)
    cuts = range(steps + 1)
    distances = [sliced_wasserstein(*(ends.numpy() for ends in paths.switched(cut))) for cut in cuts]
    best = int(np.argmin(distances))
    return {
        "taus": paths.steps.bounds.tolist(),
        "distances": distances,
        "best": float(paths.steps.bounds[best]),
        "least": distances[best],
        "unswitched": distances[-1],
    }


def _setting(model: Any, steps: int, rows: int = 256) -> Setting:
    return Setting(model, GENDER, (Prompt(PERSON),), "ddim", steps, 1.0, room=Room(rows))


def _of(found: Found, truth: dict[str, Any]) -> dict[str, float]:
    curve = found.curve
    return _row(curve.tau, curve.tau_low, curve.tau_high, found.evaluations, truth)


def _row(tau: float, low: float, high: float, evaluations: float, truth: dict[str, Any]) -> dict[str, float]:
    distance = float(np.interp(tau, truth["taus"][::-1], truth["distances"][::-1]))
    return {"tau": tau, "low": low, "high": high, "evaluations": evaluations, "distance": distance}


def _print(entry: dict[str, Any]) -> None:
    print(f"\n{entry['about']}: best tau {entry['best']:.2f}, distance {entry['least']:.3f}, ", end="")
    print(f"unswitched {entry['unswitched']:.3f}\n\n| criterion | tau | spread | distance | evaluations |")
    print("|---|---|---|---|---|")
    for name, row in entry["criteria"].items():
        spread = f"{row['low']:.2f} to {row['high']:.2f}"
        print(f"| {name} | {row['tau']:.3f} | {spread} | {row['distance']:.3f} | {row['evaluations']:.0f} |")


AGES = ("0-2", "3-9", "10-19")
TRIANGLE = [[0.0, 1.5], [-1.3, -0.75], [1.3, -0.75]]
THREE = {
    "shift": World("three means", AGES, TRIANGLE, [0.2] * 3, [1 / 3] * 3),
    "spreads": World("three means and spreads", AGES, TRIANGLE, [0.05, 0.2, 0.8], [1 / 3] * 3),
    "content": World(
        "correlated content", tuple(sorted(AGES * 2, key=AGES.index)),
        [[x, y] for x, y in ((-1.5, 2), (-1.5, -2), (0, 2), (0, -2), (1.5, 2), (1.5, -2))], [0.1] * 6,
        [0.3, 0.03, 0.16, 0.17, 0.03, 0.31],
    ),
}  # fmt: skip


def cycles(out: Path) -> None:
    """Three values: how far apart the laws of the three starts are, by how they are switched."""
    age = get_attribute("age")
    attribute = Attribute("age", {value: age.words[value] for value in AGES})
    found = {}
    for name, world in THREE.items():
        model, _ = world.model(attribute)
        setting = Setting(model, attribute, (Prompt(PERSON),), "ddim", 50, 1.0, room=Room(256))
        batch = draw(setting, range(128))
        values = attribute.values
        pairs = [(values[k], values[(k + 1) % 3]) for k in range(3)]
        taus = [CRITERIA["law"](Search(setting, batch, pair)).curve.tau for pair in pairs]
        points = cycle_points(Steps(setting), taus, 3)
        grid = [(a, b) for a in np.arange(0.1, 1, 0.1) for b in np.arange(0.05, a, 0.1)]
        tried = {"unswitched": 0.0, "one switch": float(np.mean(taus)), "cycle from pairs": points}
        apart = _apart(model, attribute, [*tried.values(), *grid])
        best = int(np.argmin(apart[3:]))
        found[name] = {
            "about": world.about, "taus": taus, "points": points, **dict(zip(tried, apart, strict=False)),
            "best points": grid[best], "best cycle on a grid": apart[3 + best],
        }  # fmt: skip
        print(json.dumps(found[name], default=float))
    (out / "cycles.json").write_text(json.dumps(found, indent=1, default=float))


def twice(out: Path) -> None:
    """Two switches for two values whose content differs: there and back again."""
    model, _ = WORLDS["content"].model(GENDER)
    once = [float(tau) for tau in np.arange(0.66, 0.9, 0.02)]
    grid = [(first, second) for first in np.arange(0.72, 0.88, 0.02) for second in (0.18, 0.22, 0.26, 0.3)]
    apart = _apart(model, GENDER, [*once, *grid])
    single, double = (int(np.argmin(part)) for part in (apart[: len(once)], apart[len(once) :]))
    found = {
        "once": {"tau": once[single], "distance": apart[single]},
        "twice": {"tau": grid[double], "distance": apart[len(once) + double]},
    }
    print(json.dumps(found, default=float))
    (out / "twice.json").write_text(json.dumps(found, indent=1, default=float))


def _apart(model: GaussianModel, attribute: Attribute, taus: list[Any], images: int = 500) -> list[float]:
    """The largest sliced Wasserstein distance between the laws of two starts, for every tau."""
    switching, turns = registry.load("samplers", "switching"), range(len(attribute.values))
    target = {value: float(value == attribute.values[0]) for value in attribute.values}
    request = Request(Prompt(PERSON), tuple(range(images)), attribute, target, 1.0, 0)
    samplers = [switching(tau, turn, name=f"{k}/{turn}") for k, tau in enumerate(taus) for turn in turns]
    made = sample(model, samplers, request, scheduler="ddim", steps=50, room=Room(images))
    ends = [[made[f"{k}/{turn}"].latents.numpy() for turn in turns] for k in range(len(taus))]
    return [max(sliced_wasserstein(a, b) for a, b in combinations(starts, 2)) for starts in ends]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parts = {"mixtures": mixtures, "cycles": cycles, "twice": twice}
    parser.add_argument("parts", nargs="+", choices=list(parts))
    parser.add_argument("--out", type=Path, default=Path("build/transition"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for part in options.parts:
        parts[part](options.out)


if __name__ == "__main__":
    main()
