"""How different the images of one value are: stored features and labels to Vendi scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.digests import seed_of
from fairaudit.effects import Diversity
from fairaudit.extracting import Extractor, stored_as
from fairaudit.labelling import Classifier
from fairaudit.metrics.diversity import MOST, vendi_interval
from fairaudit.plan import AuditPlan
from fairaudit.store import Run

KEYS = ["prompt", "index"]
Diversities = dict[str, dict[str, Diversity]]
"""By attribute and value."""


def diversities_of(
    run: Run,
    plan: AuditPlan,
    classifier: Classifier,
    extractors: Sequence[Extractor],
    labels: Mapping[str, pd.DataFrame],
) -> dict[str, Diversities]:
    """By sampler: the Vendi score of the images of every value of every audited attribute.

    It grows with the number of images, so of every value as many are taken as the sampler with the
    fewest has. They are seen by the first self-supervised extractor, else the first CLIP, else the
    classifier.
    """
    seen_by = most_general(extractors)
    network = classifier.name if seen_by is None else seen_by.name
    tables: dict[str, pd.DataFrame] = {}
    for sampler, own in labels.items():
        stored = network if seen_by is None else stored_as(plan, network)
        features = _keyed(run.read_all("features", stored, sampler))["feature"]
        directed = features[[bool(np.any(row)) for row in features]]
        tables[sampler] = _keyed(own)[list(plan.attributes)].join(directed, how="inner").sort_index()
    found: dict[str, Diversities] = {sampler: {} for sampler in labels}
    for attribute in plan.attributes:
        for value in plan.attribute(attribute).values:
            of_value = {name: table[table[attribute] == value] for name, table in tables.items()}
            n = min(MOST, *(len(table) for table in of_value.values()))
            for sampler, table in of_value.items():
                seed = seed_of("diversity", plan.sampling.seed, sampler, attribute, value) % 2**32
                rows, prompts = _rows(table)
                estimate = vendi_interval(rows, n, prompts, level=plan.measurement.level, seed=seed)
                own_n = Diversity(**estimate.model_dump(), n=n)
                own_n.method = f"{estimate.method}, on {network}"
                found[sampler].setdefault(attribute, {})[value] = own_n
    return found


def most_general(extractors: Sequence[Extractor]) -> Extractor | None:
    """The extractor that knows least of attributes beforehand: self-supervised, else a CLIP."""
    return next((one for kind in ("self-supervised", "clip") for one in extractors if one.kind == kind), None)


def _keyed(table: pd.DataFrame) -> pd.DataFrame:
    """By prompt, where there is one, and index."""
    return table.assign(prompt=table["prompt"].fillna("")).set_index(KEYS)


def _rows(table: pd.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rows = np.stack(table["feature"].to_list()) if len(table) else np.zeros((0, 1), np.float32)
    return rows, pd.factorize(table.index.get_level_values("prompt"))[0]
