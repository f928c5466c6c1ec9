"""What a sampler keeps of the first sampler's images: stored samples, labels and features to utility."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.digests import seed_of
from fairaudit.extracting import Extractor, Kind, stored_as
from fairaudit.fetching import find_asset
from fairaudit.labelling import Classifier
from fairaudit.metrics.utility import feature_cosine, pixel_mse, unchanged
from fairaudit.perceptual import METHOD, NO_WEIGHTS, distance_key, lpips_distance
from fairaudit.plan import AuditPlan
from fairaudit.results import Estimate
from fairaudit.statistics.means import fraction_interval, mean_interval
from fairaudit.store import Run, pixels

KEYS = ["prompt", "index"]
COSINES: Mapping[Kind, str] = {"clip": "clip_i", "self-supervised": "dino"}
"""What the cosine of paired pictures is called in the literature, by the network that sees them."""


def utility_of(
    run: Run,
    plan: AuditPlan,
    classifier: Classifier,
    *,
    sampler: str,
    baseline: str | None,
    labels: Mapping[str, pd.DataFrame],
    extractors: Sequence[Extractor] = (),
) -> dict[str, Estimate]:
    """Paired change against the baseline's image of the same noise; empty for the baseline itself.

    feature_cosine, pixel_mse and paired_lpips compare the pictures, and so do the cosines of what extractors
    see, which are called clip_i for CLIP and dino for networks like DINO. ATTRIBUTE.unchanged is the fraction
    of pairs in which an attribute is read the same. content.unchanged asks that of all that are not
    audited at once: what the prompt asked for and debiasing should have left alone.
    """
    if baseline is None or sampler == baseline:
        return {}
    a, b = (labels[name].set_index(KEYS).sort_index() for name in (sampler, baseline))
    shared = a.index.intersection(b.index)
    weights = find_asset("alexnet")
    pictures = _pictures_apart(run, sampler, baseline, weights).reindex(shared)
    columns: dict[str, NDArray[np.float64]] = {
        "feature_cosine": _cosine(run, classifier.name, sampler, baseline, shared),
        **{str(name): column.to_numpy() for name, column in pictures.items()},
        **{
            f"{COSINES[one.kind]}:{one.name}": _cosine(
                run, stored_as(plan, one.name), sampler, baseline, shared
            )
            for one in extractors
            if one.kind in COSINES
        },
        **_unchanged(a.loc[shared], b.loc[shared], classifier.values, plan.attributes),
    }
    prompts = pd.factorize(shared.get_level_values("prompt"))[0]
    found = {
        name: (fraction_interval if name.endswith(".unchanged") else mean_interval)(
            values,
            prompts,
            level=plan.measurement.level,
            replicates=plan.measurement.replicates,
            seed=seed_of("utility", plan.sampling.seed, sampler, name) % 2**32,
        )
        for name, values in columns.items()
    }
    if weights is None:
        found["paired_lpips"] = Estimate(value=None, method=METHOD, reason=NO_WEIGHTS)
    return found


def _unchanged(
    a: pd.DataFrame, b: pd.DataFrame, values: Mapping[str, tuple[str, ...]], audited: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    """By key: whether an attribute is read the same in every pair of rows, and all that are not audited."""
    kept = {name: unchanged(_codes(a[name], known), _codes(b[name], known)) for name, known in values.items()}
    columns = {f"{name}.unchanged": same for name, same in kept.items()}
    others = [same for name, same in kept.items() if name not in audited]
    return columns | ({"content.unchanged": np.min(others, axis=0)} if others else {})


def _codes(column: pd.Series, values: tuple[str, ...]) -> NDArray[np.int64]:
    return pd.Categorical(column, categories=list(values)).codes.astype(np.int64)


def _cosine(run: Run, network: str, sampler: str, baseline: str, pairs: pd.Index) -> NDArray[np.float64]:
    """Of every pair; nan where one of the two pictures has no face for a classifier, and so no features."""
    a, b = (
        run.read_all("features", network, name).set_index(KEYS)["feature"] for name in (sampler, baseline)
    )
    found = np.full(len(pairs), np.nan)
    both = pairs.isin(a.index) & pairs.isin(b.index)
    if both.any():
        found[both] = feature_cosine(*(np.stack(some.loc[pairs[both]].to_list()) for some in (a, b)))
    return found


def _pictures_apart(run: Run, sampler: str, baseline: str, weights: Path | None) -> pd.DataFrame:
    """How far the pictures of every pair are apart, by prompt and index; one unit is in memory at a time."""
    units = sorted({*run.stored("samples", sampler)} & {*run.stored("samples", baseline)})
    parts = []
    for unit in units:
        a, b = (
            run.read_stored("samples", name, unit).set_index(KEYS)["image"] for name in (sampler, baseline)
        )
        pairs = a.index.intersection(b.index)
        seen = [[pixels(image["bytes"]) for image in some.loc[pairs]] for some in (a, b)]
        apart = {"pixel_mse": pixel_mse(*map(np.stack, seen))}
        if weights is not None:
            measure = partial(lpips_distance, seen[0], seen[1], weights)
            place = run.path("distances", distance_key(weights), sampler, baseline, unit)
            apart["paired_lpips"] = _kept(run, place, pairs, measure)
        parts.append(pd.DataFrame(apart, index=pairs))
    return pd.concat(parts)


def _kept(
    run: Run, place: Path, pairs: pd.Index, measure: Callable[[], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Distances (n,) of pairs as they are stored; where they are not, they are measured and stored."""
    if place.exists():
        stored = pd.read_parquet(place).set_index(KEYS)["distance"]
        if stored.index.equals(pairs):
            return np.asarray(stored.to_numpy(), dtype=np.float64)
    distances = measure()
    run.write_table(place, pairs.to_frame(index=False).assign(distance=distances))
    return distances
