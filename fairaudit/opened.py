"""A finished run that is put beside another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fairaudit.plan import AuditPlan
from fairaudit.prompts import Prompt
from fairaudit.reading import UNREADABLE
from fairaudit.results import Results, SamplerResult
from fairaudit.store import Run
from fairaudit.versus import Side


@dataclass(frozen=True)
class Opened:
    """A finished run, under a short name."""

    name: str
    run: Run
    plan: AuditPlan
    results: Results
    manifest: Mapping[str, Any]

    @property
    def samplers(self) -> Mapping[str, SamplerResult]:
        """By their own names."""
        return self.results.samplers

    @property
    def texts(self) -> list[str]:
        """Its neutral prompts, or those that its pictures or labels came with."""
        own = [Prompt(template).text for template in self.plan.prompts]
        return own or list(dict.fromkeys(text for one in self.samplers.values() for text in one.prompts))

    def key(self, sampler: str) -> str:
        """What one of its samplers is called beside those of another run."""
        return f"{self.name}/{sampler}"

    def side(self) -> Side:
        """The run as versus.json names it."""
        found = self.results
        return Side(
            name=self.name,
            generator=found.generator,
            n=found.n,
            plan_digest=found.plan_digest,
            results_digest=found.digest,
        )

    def keeps_labels(self, sampler: str) -> bool:
        """Whether the run holds a sampler's labels: not those of a table that it was compared with."""
        return self.run.path("labels", self.plan.classifier, sampler, "any").parent.is_dir()

    def labels(self, sampler: str) -> pd.DataFrame:
        """The stored labels of one of its samplers' readable pictures."""
        table = self.run.read_all("labels", self.plan.classifier, sampler)
        return table[table["outcome"] != UNREADABLE]
