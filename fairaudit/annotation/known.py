"""A run that people labelled, as faces whose values are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fairaudit.annotation.drawing import pool, strata_of
from fairaudit.annotation.pictures import RunPictures
from fairaudit.errors import UsageError, unknown
from fairaudit.humans import answers_of, judged_images
from fairaudit.known_faces import KnownFaces
from fairaudit.plan import AuditPlan
from fairaudit.results import Results
from fairaudit.store import Run


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
    weights: dict[str, float] = {}
    told: dict[str, dict[str, int]] = {}
    for sampler in samplers:
        labels = pool(run, plan, sampler).reset_index(drop=True)
        for name in attributes or plan.attributes:
            given = answers_of(folder, sampler, name)
            if not given or name not in values:
                continue
            images, _, human = judged_images(labels, given, values[name])
            strata = strata_of(labels, next(iter(given.values()))[0].question.draw).to_numpy()
            sizes = {s: (strata == s).sum() / (strata[images] == s).sum() for s in set(strata[images])}
            for row, value in zip(images, human, strict=True):
                prompt, index = labels["prompt"][row], int(labels["index"][row])
                key = f"{sampler}/{row}"
                places[key] = (sampler, prompt if isinstance(prompt, str) else None, index)
                weights[key] = float(sizes[strata[row]])
                told.setdefault(name, {})[key] = int(value)
    if not told:
        asked = ", ".join(attributes or plan.attributes)
        raise UsageError(f"nobody has labelled {asked} in {folder}; begin with: fairaudit annotate {folder}")
    read = RunPictures(run, plan, samplers)
    return KnownFaces(
        f"{len(places)} pictures of the run {folder.resolve().name}, labelled by people",
        list(places),
        lambda key: read(*places[key]),
        {name: np.array([codes.get(key, -1) for key in places]) for name, codes in told.items()},
        np.array([weights[key] for key in places]),
    )
