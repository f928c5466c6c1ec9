"""What debiasing keeps and what it changes besides: all that a run's images say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from fairaudit.collateral import collateral_of
from fairaudit.diversities import Diversities, diversities_of
from fairaudit.effects import Downstreams
from fairaudit.extracting import Extractor
from fairaudit.labelling import Classifier
from fairaudit.learning import downstreams_of
from fairaudit.obeying import Obedience, compare_obedience, obedience_of
from fairaudit.plan import AuditPlan
from fairaudit.preserving import utility_of
from fairaudit.results import Comparison
from fairaudit.store import Run


@dataclass(frozen=True)
class Utility:
    """The measures of all samplers of a run; what they share is read once.

    Parameters
    ----------
    labels
        By sampler, pictures that are there already too: those are paired with none.
    """

    run: Run
    plan: AuditPlan
    classifier: Classifier
    extractors: Sequence[Extractor]
    labels: Mapping[str, pd.DataFrame]

    def of(self, sampler: str) -> dict[str, Any]:
        """The fields of a sampler's result that are about utility."""
        own = {
            name: estimate
            for found in self._obedience
            for name, estimate in found.estimates(self.plan, sampler).items()
        }
        fields: dict[str, Any] = {"utility": own, "diversity": self._diversities[sampler]}
        if sampler not in {one.key for one in self.plan.samplers}:
            return fields
        pair: dict[str, Any] = {
            "sampler": sampler,
            "baseline": self.plan.reference_sampler,
            "labels": self.labels,
        }
        kept = utility_of(self.run, self.plan, self.classifier, **pair, extractors=self.extractors)
        return fields | {
            "utility": own | kept,
            "collateral": collateral_of(self.plan, self.classifier, **pair),
        }

    def downstreams(self) -> dict[str, Downstreams]:
        """What a classifier learns from the images, where the plan names real ones to test it on."""
        return downstreams_of(self.run, self.plan, self.classifier, self.extractors, self.labels)

    def comparisons(self) -> list[Comparison]:
        """Every sampler against the baseline in what its prompts ask for."""
        return compare_obedience(self.plan, self._obedience, self.plan.reference_sampler)

    @cached_property
    def _obedience(self) -> list[Obedience]:
        return obedience_of(self.run, self.plan, self.extractors, self.labels)

    @cached_property
    def _diversities(self) -> dict[str, Diversities]:
        return diversities_of(self.run, self.plan, self.classifier, self.extractors, self.labels)
