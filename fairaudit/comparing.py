"""Every pair of samplers: on the same noise image by image, else as two sets of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.families import adjusted
from fairaudit.measurement import Measurement
from fairaudit.results import Comparison, Estimate
from fairaudit.statistics.changes import paired_changes
from fairaudit.statistics.paired import paired_fd_difference
from fairaudit.statistics.prompts import paired_prompt_difference
from fairaudit.statistics.unpaired import unpaired_difference


def compare_samplers(
    measurement: Measurement,
    labels: Mapping[str, pd.DataFrame],
    prompts: Sequence[str],
    reference: str | None,
) -> list[Comparison]:
    """Every pair of samplers; tests adjusted over all pairs and attributes.

    Pictures that the plan compares with were not made from the run's noise: no image has a partner.
    """
    given = set(measurement.plan.against)
    order = sorted(labels, key=lambda sampler: sampler != reference)
    several = len(prompts) > 1
    found = [
        compare_pair(measurement, labels, name, a, b, several=several, paired=not given & {a, b})
        for name in measurement.plan.attributes
        for b, a in combinations(order, 2)
    ]
    return adjusted(found)


def compare_pair(
    measurement: Measurement,
    labels: Mapping[str, pd.DataFrame],
    name: str,
    a: str,
    b: str,
    *,
    several: bool,
    paired: bool,
) -> Comparison:
    """One attribute of two tables of labels, a minus b, as `compare_samplers` compares them; unadjusted.

    Parameters
    ----------
    several
        Whether the discrepancy is that within prompts, where pairs are compared.
    paired
        Whether rows of equal prompt and index start from the same noise.
    """
    if paired:
        return _compare(measurement, labels, name, a, b, several=several)
    return _compare_sets(measurement, labels, name, a, b)


def _compare(
    measurement: Measurement,
    labels: Mapping[str, pd.DataFrame],
    name: str,
    a: str,
    b: str,
    *,
    several: bool,
) -> Comparison:
    plan, values = measurement.plan, list(measurement.plan.attribute(name).values)
    seen = {sampler: measurement.seen(labels[sampler], name) for sampler in (a, b)}
    both = [_codes(seen[sampler], name, values).rename(side) for sampler, side in ((a, "a"), (b, "b"))]
    joined = pd.concat(both, axis=1, join="inner")
    codes = joined["a"].to_numpy(), joined["b"].to_numpy()
    prompts, texts = pd.factorize(joined.index.get_level_values("prompt"))
    confusion = measurement.confusion(name)
    if joined.empty:
        nothing = Estimate(value=None, method="paired", reason=f"{a} and {b} share no prompt and index")
        metric = f"{name}.fd_prompts" if several else f"{name}.fd"
        return Comparison(metric=metric, a=a, b=b, difference=nothing, p_value=None, test="none")
    spread: dict[str, Any] = {
        "level": plan.measurement.level,
        "replicates": plan.measurement.replicates,
        "seed": measurement.seed(a, b, name),
    }
    difference = paired_prompt_difference if several else paired_fd_difference
    paired = difference(
        *codes, prompts, _targets(measurement, name, list(texts[prompts]), several), confusion, **spread
    )
    return Comparison(
        metric=f"{name}.fd_prompts" if several else f"{name}.fd",
        a=a,
        b=b,
        difference=paired.difference,
        p_value=paired.p_value,
        test=paired.test,
        changes=paired_changes(name, values, *codes, prompts, confusion, **spread),
    )


def _compare_sets(
    measurement: Measurement, labels: Mapping[str, pd.DataFrame], name: str, a: str, b: str
) -> Comparison:
    """Within prompts where both have the same ones, else all images together."""
    plan, values = measurement.plan, list(measurement.plan.attribute(name).values)
    seen = {sampler: measurement.of(sampler).seen(labels[sampler], name) for sampler in (a, b)}
    prompts = sorted(set(seen[a]["prompt"].fillna("")))
    within = prompts == sorted(set(seen[b]["prompt"].fillna("")))
    several = within and len(prompts) > 1
    of_a, of_b = (_counts(seen[sampler], name, values, prompts if within else None) for sampler in (a, b))
    # All images together: each side's target is that of its own prompts.
    asked = [prompts if several else list(seen[sampler]["prompt"].fillna("")) for sampler in (a, b)]
    fair_a, fair_b = (_targets(measurement, name, texts, several) for texts in asked)
    found = unpaired_difference(
        of_a,
        of_b,
        fair_a,
        measurement.confusion(name),
        target_b=fair_b,
        corrected=(a not in measurement.brought, b not in measurement.brought),
        level=plan.measurement.level,
        replicates=plan.measurement.replicates,
        seed=measurement.seed(a, b, name),
    )
    metric = f"{name}.fd_prompts" if several else f"{name}.fd"
    return Comparison(
        metric=metric, a=a, b=b, difference=found.difference, p_value=found.p_value, test=found.test
    )


def _counts(
    labels: pd.DataFrame, attribute: str, values: list[str], prompts: Sequence[str] | None
) -> NDArray[np.int64]:
    """Labels of every value (P, K) for each prompt, or (1, K) where prompts are None."""
    if prompts is None:
        found = labels[attribute].value_counts()
        return np.array([[int(found.get(value, 0)) for value in values]])
    table = pd.crosstab(labels["prompt"].fillna(""), labels[attribute])
    return table.reindex(index=list(prompts), columns=values, fill_value=0).to_numpy(dtype=np.int64)


def _targets(
    measurement: Measurement, name: str, prompts: Sequence[str], several: bool
) -> NDArray[np.float64]:
    """Fair shares (K,) of all pairs, or (P, K) of each of several prompts, in the order they occur."""
    if not several:
        return np.array(list(measurement.target(name, prompts).values()))
    return np.array([list(measurement.target(name, [text]).values()) for text in dict.fromkeys(prompts)])


def _codes(labels: pd.DataFrame, attribute: str, values: list[str]) -> pd.Series[int]:
    """Value codes by prompt and index, -1 without a label."""
    codes = pd.Categorical(labels[attribute], categories=values).codes.astype(np.int64)
    return pd.Series(
        codes,
        index=pd.MultiIndex.from_arrays(
            [labels["prompt"].fillna(""), labels["index"]], names=["prompt", "index"]
        ),
    )
