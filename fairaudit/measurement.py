"""What every measurement of a run shares: plan, instrument, truth, and how labels are taken."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.digests import seed_of
from fairaudit.labelling import LABELLED, UNSURE, Calibration, Instrument
from fairaudit.plan import AuditPlan
from fairaudit.results import EstimatorName
from fairaudit.statistics.reliability import temper
from fairaudit.truths import Truth


@dataclass(frozen=True)
class Measurement:
    """What every measurement of a run needs."""

    plan: AuditPlan
    instrument: Instrument
    truths: Mapping[str, Truth] = field(default_factory=dict)
    """By generator: what is known of one says nothing of another."""
    brought: frozenset[str] = frozenset()
    """Samplers whose labels come from a table, not from the plan's classifier."""

    def of(self, sampler: str) -> Measurement:
        """What a sampler's labels are measured with: a calibration says nothing of labels from elsewhere."""
        return replace(self, instrument=Instrument("labels", {})) if sampler in self.brought else self

    def seed(self, *parts: str) -> int:
        """The seed of one bootstrap or test: from that of the plan, the same wherever its files lie."""
        return seed_of("measure", self.plan.sampling.seed, *parts) % 2**32

    def truth(self, sampler: str) -> Truth | None:
        """What is known of the training data of the generator that a sampler runs on; of pictures nothing."""
        if sampler in self.plan.against:
            return None
        planned = {one.key: self.plan.generator_of(one) for one in self.plan.samplers}
        return self.truths.get(planned.get(sampler, self.plan.generator))

    def target(self, attribute: str, prompts: Iterable[str | None]) -> dict[str, float]:
        """The fair share of every value in images of these prompts: the mean over the images' targets."""
        if attribute not in self.plan.prompt_targets:
            return self.plan.target(attribute)
        images = Counter(prompt or "" for prompt in prompts)
        if not images:
            return self.plan.target(attribute)
        targets = [(self.plan.target(attribute, prompt), n) for prompt, n in sorted(images.items())]
        return {
            value: math.fsum(target[value] * n for target, n in targets) / images.total()
            for value in targets[0][0]
        }

    def calibration(self, attribute: str) -> Calibration | None:
        """The calibration of an attribute, or of several joined with `` x ``."""
        return self.instrument.calibrations.get(attribute)

    def estimator(self, attribute: str) -> EstimatorName:
        """How shares of an attribute are estimated."""
        if self.plan.measurement.estimator == "raw":
            return "raw"
        calibrated = self.calibration(attribute) is not None and not self.plan.measurement.threshold
        return "corrected" if calibrated else "raw"

    def confusion(self, attribute: str) -> NDArray[np.int64] | None:
        """Calibration counts (K, K) that correct an attribute's labels, where they are to be corrected."""
        calibration = self.calibration(attribute)
        if calibration is None or self.estimator(attribute) != "corrected":
            return None
        return calibration.counts

    def seen(self, labels: pd.DataFrame, attribute: str) -> pd.DataFrame:
        """The labels as an attribute sees them: tempered; too little confidence is no label: `unsure`."""
        labels = self._tempered(labels, attribute)
        confidence = probabilities(labels, attribute, self.plan.attribute(attribute).values).max(axis=1)
        unsure = labels[attribute].notna() & (confidence < self.plan.measurement.threshold)
        without = labels[attribute].isna() & (labels["outcome"] == LABELLED)
        outcome = labels["outcome"].mask(unsure | without, UNSURE)
        return labels.assign(**{attribute: labels[attribute].mask(unsure, None), "outcome": outcome})

    def _tempered(self, labels: pd.DataFrame, attribute: str) -> pd.DataFrame:
        """The labels with probabilities that mean what they say, where a calibration has found out how."""
        calibration = self.calibration(attribute)
        if calibration is None or calibration.tempered:
            return labels
        values = self.plan.attribute(attribute).values
        found = temper(probabilities(labels, attribute, values), calibration.temperature)
        columns = zip((f"{attribute}.p.{value}" for value in values), found.T, strict=True)
        return labels.assign(**dict(columns))


def probabilities(labels: pd.DataFrame, attribute: str, values: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities (n, K) of an attribute; NaN where a table has none."""
    columns = [f"{attribute}.p.{value}" for value in values]
    found = labels.reindex(columns=columns).to_numpy(dtype=np.float64)
    # Stored as float32, or rounded by whoever made the table: they sum to 1 only nearly.
    return np.asarray(found / found.sum(axis=1, keepdims=True))
