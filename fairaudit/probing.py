"""Does an image show which value its sampler was told to aim at?"""

from __future__ import annotations

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

    Only the first attribute is ever assigned.
    """
    samples = run.read_columns("samples", ["prompt", "index", "assignment"], sampler)
    if samples["assignment"].isna().all():
        return {}
    features = run.read_all("features", classifier.name, sampler)
    both = features.merge(samples, on=["prompt", "index"])
    name = plan.attributes[0]
    values = list(plan.attribute(name).values)
    codes = pd.Categorical(both["assignment"], categories=values).codes.astype(np.int64)
    return {
        name: probe_error(
            np.stack(both["feature"].to_list()),
            codes,
            len(values),
            level=plan.measurement.level,
            seed=seed_of("probe", plan.digest, sampler) % 2**32,
        )
    }
