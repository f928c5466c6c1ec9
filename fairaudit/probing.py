"""Does an image show which value its sampler was told to aim at?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fairaudit.digests import seed_of
from fairaudit.labelling import Classifier
from fairaudit.plan import AuditPlan
from fairaudit.results import Obfuscation
from fairaudit.statistics.obfuscation import probe_error
from fairaudit.store import Run


def obfuscation_of(run: Run, plan: AuditPlan, classifier: Classifier, sampler: str) -> dict[str, Obfuscation]:
    """Error of probes on the classifier's features; empty for samplers that are told nothing.

    Attributes that are debiased together are probed one by one, and together where they are measured so.
    """
    samples = run.read_columns("samples", ["prompt", "index", "assignment"], sampler)
    samples = samples[samples["assignment"].notna()]
    if samples.empty:
        return {}
    features = run.read_all("features", classifier.name, sampler)
    both = features.merge(samples, on=["prompt", "index"])
    rows = np.stack(both["feature"].to_list()) if len(both) else np.empty((0, 0))
    return {
        name: probe_error(
            rows,
            pd.Categorical(assigned, categories=list(values)).codes.astype(np.int64),
            len(values),
            level=plan.measurement.level,
            seed=seed_of("probe", plan.sampling.seed, sampler) % 2**32,
        )
        for name, values, assigned in _assigned(plan, both["assignment"])
    }


def _assigned(plan: AuditPlan, told: pd.Series[str]) -> Iterator[tuple[str, tuple[str, ...], pd.Series[str]]]:
    """What was debiased, its values, and the one that every image was told to aim at."""
    aim = plan.aim
    if not aim.parts:
        yield aim.name, aim.values, told
        return
    parts = told.map(aim.split).str
    for place, part in enumerate(aim.parts):
        yield part.name, part.values, parts[place]
    for names in plan.crossed:
        if sorted(names) == sorted(plan.debiased):
            yield " x ".join(names), aim.values, told
