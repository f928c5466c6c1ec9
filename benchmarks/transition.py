"""How good the criteria for the transition point are, where the best one is known.

    python benchmarks/transition.py mixtures --out build/transition
    python benchmarks/transition.py exact --word person --batch 0 --out build/transition   (each batch)
    python benchmarks/transition.py faces64 --out build/transition
    python benchmarks/transition.py profile --out build/transition

Every part prints a table in Markdown and writes what it found to --out; the pictures of docs/switching.md
are drawn from that by `pictures`. On two CPU cores mixtures take minutes, a batch of the published
search on builtin:faces64 five, the rest about ten each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
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
from fairaudit.plan import SamplingPlan
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request
from fairaudit.sources import open_model
from fairaudit.transition.criteria import CRITERIA, Found, Measure, Search
from fairaudit.transition.curves import Array, Curve
from fairaudit.transition.distances import Energy, sliced_wasserstein
from fairaudit.transition.exact import exact_search
from fairaudit.transition.finding import profile_of
from fairaudit.transition.paths import Paths, Steps
from fairaudit.transition.picture import draw_profiles
from fairaudit.transition.search import classifier_measure, cycle_points
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


def _setting(
    model: Any, steps: int, rows: int = 256, *, prompt: str = PERSON, guidance_scale: float = 1.0
) -> Setting:
    return Setting(model, GENDER, (Prompt(prompt),), "ddim", steps, guidance_scale, room=Room(rows))


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


def _apart(model: GaussianModel, attribute: Attribute, taus: list[Any], images: int = 600) -> list[float]:
    """The largest sliced Wasserstein distance between the laws of two starts, for every tau."""
    switching = registry.load("samplers", "switching")
    target = {value: float(value == attribute.values[0]) for value in attribute.values}
    request = Request(Prompt(PERSON), tuple(range(images)), attribute, target, 1.0, 0)
    samplers = [switching(tau, turn, name=f"{k}/{turn}") for k, tau in enumerate(taus) for turn in range(3)]
    made = sample(model, samplers, request, scheduler="ddim", steps=50, room=Room(images))
    ends = [[made[f"{k}/{turn}"].latents.numpy() for turn in range(3)] for k in range(len(taus))]
    return [max(sliced_wasserstein(a[i], a[j]) for i, j in ((0, 1), (0, 2), (1, 2))) for a in ends]


def exact(out: Path, word: str, batch: int, images: int = 16) -> None:
    """The published search on the built-in model, one batch of noise; guidance 1, as published."""
    setting = _setting(_faces(), 20, 2 * images, prompt=PERSON.replace("person", word))
    found = exact_search(Search(setting, draw(setting, range(batch * images, (batch + 1) * images)), PAIR))
    curve = found.curve
    content = {
        "tau": curve.tau, "low": curve.tau_low, "high": curve.tau_high, "evaluations": found.evaluations,
        "taus": curve.taus.tolist(), "value": curve.value.tolist(),
    }  # fmt: skip
    (out / f"exact-{word}-{batch}.json").write_text(json.dumps(content))
    print(
        f"| published, exact, batch {batch} | {curve.tau:.3f} | {curve.tau_low:.2f} to {curve.tau_high:.2f} |"
    )


def faces64(out: Path, word: str, guidance: float, images: int = 24) -> None:
    """All criteria on the built-in model, beside what both orders look like at every fourth cut."""
    model = _faces()
    setting = _setting(model, 20, 2 * images, prompt=PERSON.replace("person", word), guidance_scale=guidance)
    classifier = registry.load("classifiers", "builtin:faces64-classifier")(torch.device("cpu"))
    measure = classifier_measure(setting, classifier)(PAIR)
    search = Search(setting, draw(setting, range(images)), PAIR, measure)
    found: dict[str, Any] = {"guidance": guidance, "images": images, "criteria": {}, "cuts": []}
    for name, ask in CRITERIA.items():
        one = ask(search)
        curve = one.curve
        found["criteria"][name] = {
            "tau": curve.tau, "low": curve.tau_low, "high": curve.tau_high, "evaluations": one.evaluations,
            "taus": curve.taus.tolist(), "value": curve.value.tolist(),
        }  # fmt: skip
        print(f"| {name} | {_said(curve)} | {one.evaluations:.0f} |", flush=True)
    for cut in range(0, 21, 4):
        found["cuts"].append(_look(search.paths, cut, classifier, model))
        print(found["cuts"][-1], flush=True)
    (out / f"faces64-{word}-{guidance:g}.json").write_text(json.dumps(found, indent=1))


def _look(paths: Paths, cut: int, classifier: Any, model: Any) -> dict[str, float]:
    """What the classifier finds in both orders switched at a cut, and how far their laws are apart."""
    orders = paths.switched(cut)
    read = [classifier.read(list(model.decode(latents))) for latents in orders]
    shares = [float((one.probabilities["gender"].argmax(1) == 0).mean()) for one in read]
    features = [one.features.astype(np.float64) for one in read]
    flat = [latents.flatten(1).double().numpy() for latents in orders]
    rows = np.arange(len(flat[0]))
    return {
        "tau": float(paths.steps.bounds[cut]), "first": shares[0], "second": shares[1],
        "features": Energy(*features).of(rows), "latents": Energy(*flat).of(rows),
    }  # fmt: skip


def fast(out: Path, word: str) -> None:
    """The published criterion on the sampler's own steps, on the noise of the exact batches."""
    model, found = _faces(), {}
    for steps in (50, 20):
        setting = _setting(model, steps, 32, prompt=PERSON.replace("person", word))
        for batch in range(3):
            search = Search(setting, draw(setting, range(batch * 16, batch * 16 + 16)), PAIR)
            for name in ("published", "coefficients"):
                curve = CRITERIA[name](search).curve
                found[f"{name}, {steps} steps, batch {batch}"] = curve.tau
                print(f"| {name}, {steps} steps, batch {batch} | {_said(curve)} |", flush=True)
    (out / f"fast-{word}.json").write_text(json.dumps(found, indent=1))


def profile(out: Path, images: int = 24) -> None:
    """At which noise levels the gender of a person is decided, on images made without guidance."""
    setting = _setting(_faces(), 20, 2 * images)
    profiles = {", ".join(PAIR): profile_of(Search(setting, draw(setting, range(images)), PAIR))}
    content = {pair: {name: one.as_record() for name, one in some.items()} for pair, some in profiles.items()}
    (out / "profile.json").write_text(json.dumps(content, indent=1))
    (out / "profile.png").write_bytes(draw_profiles(profiles))
    for name, one in profiles[", ".join(PAIR)].items():
        print(name, one.nats, one.low[-1], one.high[-1], [one.decided(part) for part in (0.1, 0.5, 0.9)])


def _said(curve: Curve) -> str:
    return f"{curve.tau:.3f} | {curve.tau_low:.2f} to {curve.tau_high:.2f}"


def _faces() -> Any:
    return open_model("builtin:faces64").load(torch.device("cpu"), SamplingPlan())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "part", choices=["mixtures", "cycles", "exact", "fast", "faces64", "profile", "pictures"]
    )
    parser.add_argument("--out", type=Path, default=Path("build/transition"))
    parser.add_argument("--word", default="person")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--guidance", type=float, default=4.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], None]] = {
        "mixtures": lambda: mixtures(options.out),
        "cycles": lambda: cycles(options.out),
        "exact": lambda: exact(options.out, options.word, options.batch),
        "fast": lambda: fast(options.out, options.word),
        "faces64": lambda: faces64(options.out, options.word, options.guidance),
        "profile": lambda: profile(options.out),
    }
    parts[options.part]()


if __name__ == "__main__":
    main()
