"""A run that people labelled, as faces whose values are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fairaudit.annotation.drawing import pool, strata_of
from fairaudit.annotation.pictures import RunPictures
from fairaudit.errors import UsageError, unknown
from fairaudit.humans import answers_of, judged_images
from fairaudit.known_faces import KnownFaces
from fairaudit.plan import AuditPlan
from fairaudit.results import Results
from fairaudit.store import Run

Drawn = tuple[str, NDArray[np.int64]]
"""What a draw is called, and the rows of the images that were judged."""


def annotated_faces(
    folder: Path, values: Mapping[str, Sequence[str]], attributes: Sequence[str]
) -> KnownFaces:
    """The pictures of a run that annotators could tell, all samplers together.

    Raises
    ------
    UsageError
        If nobody has labelled any.
    """
    run, plan = Run(folder), AuditPlan.load(folder / "plan.yaml")
    for name in attributes:
        if name not in plan.attributes:
            raise unknown("attribute of the run", name, plan.attributes)
    samplers = list(Results.load(folder / "results.json").samplers)
    places: dict[str, tuple[str, str | None, int]] = {}
    weights: dict[str, dict[str, float]] = {}
    told: dict[str, dict[str, int]] = {}
    for sampler in samplers:
        labels = pool(run, plan, sampler).reset_index(drop=True)
        drawn: dict[str, Drawn] = {}
        for name in attributes or plan.attributes:
            given = answers_of(folder, sampler, name)
            if not given or name not in values:
                continue
            looked = judged_images(labels, given, values[name], plan.digest)
            drawn[name] = next(iter(given.values()))[0].question.draw, looked.images
            codes = zip(looked.images, looked.human, strict=True)
            told.setdefault(name, {}).update({f"{sampler}/{row}": int(code) for row, code in codes})
        for name, (draw, images) in _with_joint(drawn).items():
            stands = _stands_for(strata_of(labels, draw).to_numpy(), images)
            for row, weight in zip(images, stands, strict=True):
                key, prompt, index = f"{sampler}/{row}", labels["prompt"][row], int(labels["index"][row])
                places[key] = (sampler, prompt if isinstance(prompt, str) else None, index)
                weights.setdefault(name, {})[key] = float(weight)
    if not places:
        asked = ", ".join(attributes or plan.attributes)
        raise UsageError(f"nobody has labelled {asked} in {folder}; begin with: fairaudit annotate {folder}")
    read = RunPictures(run, plan, samplers)
    return KnownFaces(
        f"{len(places)} pictures of the run {folder.resolve().name}, labelled by people",
        list(places),
        lambda key: read(*places[key]),
        {name: np.array([codes.get(key, -1) for key in places]) for name, codes in told.items()},
        {name: np.array([own.get(key, 0.0) for key in places]) for name, own in weights.items()},
    )


def _with_joint(drawn: Mapping[str, Drawn]) -> dict[str, Drawn]:
    """The draws of attributes, and of those two and two that were drawn alike: what was judged for both."""
    return dict(drawn) | {
        f"{first} x {second}": (drawn[first][0], np.intersect1d(drawn[first][1], drawn[second][1]))
        for first, second in combinations(drawn, 2)
        if drawn[first][0] == drawn[second][0]
    }


def _stands_for(strata: NDArray[np.object_], images: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many images of its stratum each of these stands for."""
    codes = np.unique(strata, return_inverse=True)[1]
    sizes, taken = np.bincount(codes), np.bincount(codes[images], minlength=codes.max() + 1)
    return np.asarray(sizes[codes[images]] / taken[codes[images]])
