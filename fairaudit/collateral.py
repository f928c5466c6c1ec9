"""What a debiasing sampler changed besides: labels of attributes that it was to leave alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.digests import seed_of
from fairaudit.effects import Collateral, Flips
from fairaudit.labelling import Classifier
from fairaudit.metrics.utility import flipped
from fairaudit.plan import AuditPlan
from fairaudit.statistics.means import fraction_interval, split_interval

KEYS = ["prompt", "index"]
Array = NDArray[np.float64]


def collateral_of(
    plan: AuditPlan,
    classifier: Classifier,
    *,
    sampler: str,
    baseline: str | None,
    labels: Mapping[str, pd.DataFrame],
) -> Collateral | None:
    """How often other attributes are read as other values than on the baseline's image of the same noise.

    Told apart by whether a debiased attribute is: where it changes, some of the other labels change with
    it, and where it does not, nothing should. None for the baseline itself, and where the classifier reads
    no other attribute.
    """
    debiased = [name for name in plan.debiased if name in classifier.values]
    others = [name for name in classifier.values if name not in plan.debiased]
    if baseline is None or sampler == baseline or not debiased or not others:
        return None
    a, b = (labels[name].set_index(KEYS).sort_index() for name in (sampler, baseline))
    shared = a.index.intersection(b.index)
    a, b = a.loc[shared], b.loc[shared]
    flips = {name: _flips(a[name], b[name], classifier.values[name]) for name in (*debiased, *others)}
    # Nobody knows whether an image without a label of a debiased attribute changed.
    changed = np.max([flips[name] for name in debiased], axis=0)
    prompts = pd.factorize(shared.get_level_values("prompt"))[0]
    return Collateral(
        debiased=debiased,
        changed=int((changed == 1).sum()),
        kept=int((changed == 0).sum()),
        flips={name: _estimates(plan, (sampler, name), flips[name], changed, prompts) for name in others},
    )


def _flips(a: pd.Series[str], b: pd.Series[str], values: tuple[str, ...]) -> Array:
    codes = (pd.Categorical(one, categories=list(values)).codes.astype(np.int64) for one in (a, b))
    return flipped(*codes)


def _estimates(
    plan: AuditPlan, where: tuple[str, str], flips: Array, changed: Array, prompts: NDArray[np.int64]
) -> Flips:
    chance: dict[str, Any] = {
        "level": plan.measurement.level,
        "replicates": plan.measurement.replicates,
        "seed": seed_of("collateral", plan.sampling.seed, *where) % 2**32,
    }
    told = ~np.isnan(changed)
    return Flips(
        all_images=fraction_interval(flips, prompts, **chance),
        where_changed=fraction_interval(np.where(changed == 1, flips, np.nan), prompts, **chance),
        where_kept=fraction_interval(np.where(changed == 0, flips, np.nan), prompts, **chance),
        difference=split_interval(np.where(told, flips, np.nan), changed == 1, prompts, **chance),
    )
