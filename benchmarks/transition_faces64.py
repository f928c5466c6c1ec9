"""The criteria for the transition point on builtin:faces64, beside the published search.

    python benchmarks/transition_faces64.py exact --batch 0 --out build/transition      (and 1, 2)
    python benchmarks/transition_faces64.py fast --out build/transition
    python benchmarks/transition_faces64.py criteria --out build/transition             (and --guidance 1)
    python benchmarks/transition_faces64.py profile --out build/transition

On two free CPU cores a batch of the published search takes five minutes, the others one to ten.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fairaudit.asking import Room
from fairaudit.attributes import get_attribute
from fairaudit.instruments import open_classifier
from fairaudit.plan import SamplingPlan
from fairaudit.prompts import Prompt
from fairaudit.sources import open_model
from fairaudit.transition.criteria import CRITERIA, Search, flat
from fairaudit.transition.curves import Curve
from fairaudit.transition.distances import Energy
from fairaudit.transition.exact import exact_search
from fairaudit.transition.finding import profile_of
from fairaudit.transition.looks import classifier_look, classifier_measure
from fairaudit.transition.paths import Paths
from fairaudit.transition.picture import draw_profiles
from fairaudit.transition.setting import Pair, Setting, draw

PAIR: Pair = ("female", "male")
PROMPT = "a photo of a {attribute} person"


def exact(out: Path, word: str, batch: int, images: int = 16) -> None:
    """The published search on the built-in model, one batch of noise; guidance 1, as published."""
    setting = _setting(_faces(), 20, 2 * images, word=word)
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


def criteria(out: Path, word: str, guidance: float, images: int = 24) -> None:
    """All criteria on the built-in model, beside what both orders look like at every fourth cut."""
    model = _faces()
    setting = _setting(model, 20, 2 * images, word=word, guidance_scale=guidance)
    classifier = open_classifier("builtin:faces64-classifier", torch.device("cpu"))
    measure = classifier_measure(setting, classifier)(PAIR)
    search = Search(
        setting, draw(setting, range(images)), PAIR, measure, classifier_look(setting, classifier)
    )
    found: dict[str, Any] = {"guidance": guidance, "images": images, "criteria": {}, "cuts": []}
    bare = replace(search, look=flat)
    vars(bare)["paths"] = search.paths  # nothing is sampled twice
    asks = {**CRITERIA, **{f"{name}, latents": CRITERIA[name] for name in ("paired", "law", "witness")}}
    for name, ask in asks.items():
        one = ask(bare if name.endswith("latents") else search)
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
        setting = _setting(model, steps, 32, word=word)
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


def _setting(
    model: Any, steps: int, rows: int, *, word: str = "person", guidance_scale: float = 1.0
) -> Setting:
    prompt = Prompt(PROMPT.replace("person", word))
    return Setting(model, get_attribute("gender"), (prompt,), "model", steps, guidance_scale, room=Room(rows))


def _said(curve: Curve) -> str:
    return f"{curve.tau:.3f} | {curve.tau_low:.2f} to {curve.tau_high:.2f}"


def _faces() -> Any:
    return open_model("builtin:faces64").load(torch.device("cpu"), SamplingPlan())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("part", choices=["exact", "fast", "criteria", "profile"])
    parser.add_argument("--out", type=Path, default=Path("build/transition"))
    parser.add_argument("--word", default="person", help="in the place of person in the prompt")
    parser.add_argument("--batch", type=int, default=0)
    own = open_model("builtin:faces64").defaults().guidance_scale
    parser.add_argument("--guidance", type=float, default=own)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], None]] = {
        "exact": lambda: exact(options.out, options.word, options.batch),
        "fast": lambda: fast(options.out, options.word),
        "criteria": lambda: criteria(options.out, options.word, options.guidance),
        "profile": lambda: profile(options.out),
    }
    parts[options.part]()


if __name__ == "__main__":
    main()
