"""What a sampler keeps of the first sampler's images: stored samples, labels and features to utility."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.digests import seed_of
from fairaudit.labelling import Classifier
from fairaudit.metrics.utility import feature_cosine, pixel_mse, unchanged
from fairaudit.plan import AuditPlan
from fairaudit.results import Estimate
from fairaudit.statistics.means import mean_interval
from fairaudit.store import Run, pixels

KEYS = ["prompt", "index"]


def utility_of(
    run: Run,
    plan: AuditPlan,
    classifier: Classifier,
    *,
    sampler: str,
    baseline: str | None,
    labels: Mapping[str, pd.DataFrame],
) -> dict[str, Estimate]:
    """Paired change against the baseline's image of the same noise; empty for the baseline itself.

    feature_cosine and pixel_mse compare the pictures; ATTRIBUTE.unchanged is the fraction of pairs in
    which an attribute is read the same. content.unchanged asks that of all attributes that are
    not audited at once: what the prompt asked for and debiasing should have left alone.
    """
    if baseline is None or sampler == baseline:
        return {}
    a, b = (labels[name].set_index(KEYS).sort_index() for name in (sampler, baseline))
    shared = a.index.intersection(b.index)
    a, b = a.loc[shared], b.loc[shared]
    kept = {
        name: unchanged(_codes(a[name], values), _codes(b[name], values))
        for name, values in classifier.values.items()
    }
    others = [name for name in kept if name not in plan.attributes]
    columns = {
        "feature_cosine": _feature_cosine(run, classifier, sampler, baseline, shared),
        "pixel_mse": _pixel_mse(run, sampler, baseline),
        **{f"{name}.unchanged": values for name, values in kept.items()},
    }
    if others:
        columns["content.unchanged"] = np.min([kept[name] for name in others], axis=0)
    prompts = pd.factorize(shared.get_level_values("prompt"))[0]
    return {
        name: mean_interval(
            values,
            prompts,
            level=plan.measurement.level,
            replicates=plan.measurement.replicates,
            seed=seed_of("utility", plan.digest, sampler, name) % 2**32,
        )
        for name, values in columns.items()
    }


def _codes(column: pd.Series, values: tuple[str, ...]) -> NDArray[np.int64]:
    return pd.Categorical(column, categories=list(values)).codes.astype(np.int64)


def _feature_cosine(
    run: Run, classifier: Classifier, sampler: str, baseline: str, pairs: pd.Index
) -> NDArray[np.float64]:
    """Of every pair; nan where one of the two pictures has no face, and so no features."""
    a, b = (
        run.read_all("features", classifier.name, name).set_index(KEYS)["feature"]
        for name in (sampler, baseline)
    )
    found = np.full(len(pairs), np.nan)
    both = pairs.isin(a.index) & pairs.isin(b.index)
    if both.any():
        found[both] = feature_cosine(*(np.stack(some.loc[pairs[both]].to_list()) for some in (a, b)))
    return found


def _pixel_mse(run: Run, sampler: str, baseline: str) -> NDArray[np.float64]:
    a, b = (
        [
            pixels(image["bytes"])
            for image in run.read_all("samples", name).set_index(KEYS).sort_index()["image"]
        ]
        for name in (sampler, baseline)
    )
    return pixel_mse(np.stack(a), np.stack(b))
