"""Several readers of the same pictures, classifiers or people: how far they agree, and what they agree on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.errors import UsageError
from fairaudit.labelling import Classifier
from fairaudit.measurement import Measurement
from fairaudit.plan import AuditPlan
from fairaudit.results import Agreement, Consensus, Estimate
from fairaudit.statistics.agreement import MISSING, Ratings, alpha, kappa, percent
from fairaudit.statistics.shares import estimate_shares
from fairaudit.store import Run

DAWID_SKENE = "Dawid-Skene consensus of the classifiers"


def check_opinions(plan: AuditPlan, others: Sequence[Classifier]) -> None:
    """Raise `UsageError` if a second opinion is about nothing that is audited."""
    for other in others:
        shared = [name for name in plan.attributes if name in other.values]
        if not any(set(other.values[name]) <= set(plan.attribute(name).values) for name in shared):
            raise UsageError(
                f"{other.name} is no second opinion on {', '.join(plan.attributes)}: it reads "
                f"{', '.join(other.values)}, or other values"
            )


def agreement_of(
    run: Run, measurement: Measurement, sampler: str, labels: pd.DataFrame
) -> dict[str, Agreement]:
    """By attribute: how far the classifiers of a run agree on a sampler's images.

    Parameters
    ----------
    labels
        The labels of the first classifier; images that are not in it do not count.
    """
    plan = measurement.plan
    tables = {plan.classifier: labels}
    for name in plan.second_opinions:
        tables[name] = run.read_all("labels", name, sampler).loc[labels.index]
    found = {}
    for attribute in plan.attributes:
        values = plan.attribute(attribute).values
        shared = {name: table for name, table in tables.items() if _reads(table, attribute, values)}
        if len(shared) > 1:
            ratings = codes({name: table[attribute] for name, table in shared.items()}, values)
            spread = _spread(measurement, sampler, attribute)
            found[attribute] = agree(list(shared), ratings, values, spread).model_copy(
                update={"consensus": _consensus(ratings, values, spread)}
            )
    return found


def agree(
    raters: Sequence[str], ratings: NDArray[np.int64], values: Sequence[str], spread: Mapping[str, Any]
) -> Agreement:
    """How far raters agree; `ratings` (n, R) are codes of the values, -1 for none."""
    patterns = Ratings.of(ratings, len(values))
    return Agreement(
        raters=list(raters),
        images=int(patterns.times.sum()),
        percent=percent(patterns, **spread),
        kappa=kappa(patterns, **spread),
        alpha=alpha(patterns, **spread),
    )


def codes(labels: Mapping[str, pd.Series[str]], values: Sequence[str]) -> NDArray[np.int64]:
    """Labels by rater as codes (n, R) of the values; -1 for none."""
    columns = [pd.Categorical(column, categories=list(values)).codes for column in labels.values()]
    return np.stack(columns, axis=1).astype(np.int64)


def _reads(table: pd.DataFrame, attribute: str, values: Sequence[str]) -> bool:
    """Whether a classifier reads an attribute, and no values but these."""
    before = f"{attribute}.p."
    own = {str(name).removeprefix(before) for name in table.columns if str(name).startswith(before)}
    return bool(own) and own <= set(values)


def _spread(measurement: Measurement, sampler: str, attribute: str) -> dict[str, Any]:
    plan = measurement.plan.measurement
    seed = measurement.seed(sampler, "agreement", attribute)
    return {"level": plan.level, "replicates": plan.replicates, "seed": seed}


def _consensus(ratings: NDArray[np.int64], values: Sequence[str], spread: Mapping[str, Any]) -> Consensus:
    labels = consensus(ratings)
    counts = np.bincount(labels[labels != MISSING], minlength=len(values))
    shares = estimate_shares(counts, **spread)
    method = f"{DAWID_SKENE}; {shares.method}"
    if shares.value is None or shares.low is None or shares.high is None:
        empty = Estimate(value=None, method=method, reason=shares.reason)
        return Consensus(shares=dict.fromkeys(values, empty), changed=0)
    ends = zip(values, shares.value, shares.low, shares.high, strict=True)
    return Consensus(
        shares={v: Estimate(value=s, low=low, high=high, method=method) for v, s, low, high in ends},
        changed=int(((ratings[:, 0] != MISSING) & (labels != ratings[:, 0])).sum()),
    )


def consensus(ratings: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most likely value (n,) of each image (Dawid & Skene 1979); -1 where nobody says anything."""
    from crowdkit.aggregation import DawidSkene

    images, raters = np.nonzero(ratings != MISSING)
    labels = np.full(len(ratings), MISSING)
    if len(images):
        table = pd.DataFrame({"task": images, "worker": raters, "label": ratings[images, raters]})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # crowd-kit's own, of pandas
            found = DawidSkene(n_iter=100).fit_predict(table)
        labels[found.index.to_numpy()] = found.to_numpy()
    return labels
