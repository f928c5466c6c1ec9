"""How different the images of one value are: stored features and labels to Vendi scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.digests import seed_of
from fairaudit.effects import Diversity
from fairaudit.extracting import Extractor, stored_as
from fairaudit.labelling import Classifier
from fairaudit.metrics.diversity import MOST, drawn, vendi_interval
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
    stored = network if seen_by is None else stored_as(plan, network)
    tables = {}
    for sampler, own in labels.items():
        table = _keyed(own)[list(plan.attributes)]
        tables[sampler] = table[table.index.isin(_directed(run, stored, sampler))].sort_index()
    draws = _draws(plan, tables)
    found: dict[str, Diversities] = {sampler: {} for sampler in labels}
    for sampler, chosen in draws.items():
        features = _features(run, stored, sampler, chosen.values())
        for (attribute, value), keys in chosen.items():
            rows = np.array([features[key] for key in keys])
            prompts = pd.factorize(keys.get_level_values("prompt"))[0]
            estimate = vendi_interval(rows, prompts, level=plan.measurement.level)
            own_n = Diversity(**estimate.model_dump(), n=len(keys))
            own_n.method = f"{estimate.method}, on {network}"
            found[sampler].setdefault(attribute, {})[value] = own_n
    return found


def _draws(plan: AuditPlan, tables: Mapping[str, pd.DataFrame]) -> dict[str, dict[tuple[str, str], pd.Index]]:
    """By sampler, and attribute and value: the images that are looked at, as many under every sampler."""
    draws: dict[str, dict[tuple[str, str], pd.Index]] = {sampler: {} for sampler in tables}
    for attribute in plan.attributes:
        for value in plan.attribute(attribute).values:
            there = {name: table.index[table[attribute] == value] for name, table in tables.items()}
            n = min(MOST, *map(len, there.values()))
            for sampler, keys in there.items():
                seed = seed_of("diversity", plan.sampling.seed, sampler, attribute, value) % 2**32
                draws[sampler][attribute, value] = keys[drawn(len(keys), n, seed)]
    return draws


def _directed(run: Run, stored: str, sampler: str) -> pd.Index:
    """The images whose features have a direction; features of all images are never in memory at once."""
    parts = [
        table.index[np.array([np.any(row) for row in table["feature"]], dtype=bool)]
        for table in map(_keyed, run.each("features", stored, sampler))
    ]
    return parts[0].append(parts[1:])


def _features(
    run: Run, stored: str, sampler: str, wanted: Iterable[pd.Index]
) -> dict[tuple[str, int], NDArray[np.float32]]:
    """The features of some images."""
    keys = {key for some in wanted for key in some}
    return {
        key: row
        for table in map(_keyed, run.each("features", stored, sampler))
        for key, row in zip(table.index, table["feature"], strict=True)
        if key in keys
    }


def most_general(extractors: Sequence[Extractor]) -> Extractor | None:
    """The extractor that knows least of attributes beforehand: self-supervised, else a CLIP."""
    return next((one for kind in ("self-supervised", "clip") for one in extractors if one.kind == kind), None)


def _keyed(table: pd.DataFrame) -> pd.DataFrame:
    """By prompt, where there is one, and index."""
    return table.assign(prompt=table["prompt"].fillna("")).set_index(KEYS)
