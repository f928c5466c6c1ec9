"""Several attributes at once: labels to intersections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.measurement import Measurement
from fairaudit.results import Intersection
from fairaudit.statistics.intersections import estimate_intersection
from fairaudit.statistics.tests import holm


def cross_attributes(measurement: Measurement, sampler: str, labels: pd.DataFrame) -> dict[str, Intersection]:
    """The plan's intersections in one sampler's images, by their attributes joined with `` x ``.

    Cells are corrected where their joint errors were counted: the errors of two attributes are not
    independent, so they cannot be had from those of each. Tests are adjusted over the intersections.
    """
    plan, found = measurement.plan, dict[str, Intersection]()
    for names in plan.crossed:
        attributes = [plan.attribute(name) for name in names]
        codes = [
            pd.Categorical(measurement.seen(labels, name)[name], categories=list(attribute.values)).codes
            for name, attribute in zip(names, attributes, strict=True)
        ]
        found[" x ".join(names)] = estimate_intersection(
            names,
            [attribute.values for attribute in attributes],
            [np.asarray(column, dtype=np.int64) for column in codes],
            [np.array(list(measurement.target(name, labels["prompt"]).values())) for name in names],
            measurement.confusion(" x ".join(names)),
            together=_together(measurement, names, labels),
            level=plan.measurement.level,
            replicates=plan.measurement.replicates,
            seed=measurement.seed(sampler, *names),
        )
    adjusted = holm([crossed.p_value for crossed in found.values()])
    return {
        name: crossed.model_copy(update={"p_adjusted": p})
        for (name, crossed), p in zip(found.items(), adjusted, strict=True)
    }


def _together(
    measurement: Measurement, names: Sequence[str], labels: pd.DataFrame
) -> NDArray[np.float64] | None:
    """Fair shares of the combinations, where it takes more than the product of the attributes' targets."""
    plan = measurement.plan
    if sum(name in plan.prompt_targets for name in names) < 2:
        return None
    images = Counter(labels["prompt"].fillna(""))
    targets = [list(plan.joint_target(names, prompt).values()) for prompt in images]
    return np.asarray(np.average(targets, axis=0, weights=list(images.values())), dtype=np.float64)
