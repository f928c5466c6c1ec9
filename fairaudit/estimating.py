"""One attribute in one set of images: shares, discrepancy, test and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.attributes import get_attribute
from fairaudit.digests import seed_of
from fairaudit.labelling import LABELLED, Classifier
from fairaudit.models.builtin import planted
from fairaudit.plan import AuditPlan
from fairaudit.results import AttributeResult, Discrepancy, Share, Verdict
from fairaudit.statistics.discrepancy import estimate_discrepancy, null_band
from fairaudit.statistics.prompts import prompt_discrepancy
from fairaudit.statistics.shares import ShareEstimate, estimate_shares
from fairaudit.statistics.tests import goodness_of_fit, holm
from fairaudit.statistics.verdict import decide

Truth = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Measurement:
    """What every measurement of a run needs."""

    plan: AuditPlan
    classifier: Classifier
    truth: Truth | None

    def seed(self, *parts: str) -> int:
        """The seed of one bootstrap or test: the same on every run of a plan."""
        return seed_of("measure", self.plan.digest, *parts) % 2**32

    def confusion(self, attribute: str) -> NDArray[np.int64] | None:
        """Calibration counts (K, K), where the classifier has them."""
        calibration = self.classifier.calibration(attribute)
        return None if calibration is None else calibration.counts


@dataclass(frozen=True)
class Measured:
    """One attribute in one set of images, before the tests are adjusted."""

    n: int
    outcomes: dict[str, int]
    counts: NDArray[np.int64]
    shares: ShareEstimate
    fd: Discrepancy
    p_value: float | None
    test: str


class Estimator:
    """Measures one attribute with the plan's target and the classifier's calibration."""

    def __init__(self, measurement: Measurement, attribute: str) -> None:
        self.measurement = measurement
        self.plan = measurement.plan.measurement
        self.attribute = get_attribute(attribute)
        self.target = measurement.plan.target(attribute)
        self.goal = np.array(list(self.target.values()))
        self.confusion = measurement.confusion(attribute)

    def __call__(self, labels: pd.DataFrame, sampler: str, prompt: str) -> Measured:
        """Shares, discrepancy and test of a set of images."""
        chance: dict[str, Any] = {
            "replicates": self.plan.replicates,
            "seed": self.measurement.seed(sampler, prompt),
        }
        spread: dict[str, Any] = {"level": self.plan.level, **chance}
        found = labels[self.attribute.name].value_counts()
        counts = np.array([int(found.get(value, 0)) for value in self.attribute.values])
        shares = estimate_shares(counts, self.confusion, **spread)
        band = null_band(int(counts.sum()), self.goal, self.confusion, **spread)
        fd = estimate_discrepancy(shares, self.goal, level=self.plan.level, null95=band)
        p_value, test = goodness_of_fit(counts, self.goal, self.confusion, **chance)
        outcomes = {str(k): int(v) for k, v in labels["outcome"].value_counts().sort_index().items()}
        return Measured(len(labels), {LABELLED: 0} | outcomes, counts, shares, fd, p_value, test)

    def conclude(
        self, whole: Measured, parts: Mapping[str, Measured], sampler: str
    ) -> tuple[AttributeResult, dict[str, AttributeResult]]:
        """Results over all images and for each prompt, with tests adjusted over all of them."""
        adjusted = holm([whole.p_value, *(part.p_value for part in parts.values())])
        by_prompt = {
            prompt: self._result(part, p, self._verdict(part.fd, p), planted_for=prompt)
            for (prompt, part), p in zip(parts.items(), adjusted[1:], strict=True)
        }
        if len(parts) < 2:
            return self._result(whole, adjusted[0], self._verdict(whole.fd, adjusted[0])), by_prompt
        # Opposite biases of two prompts cancel in the pooled shares, so the verdict is about the prompts.
        across = self._across(list(parts.values()), sampler)
        smallest = min((p for p in adjusted if p is not None), default=None)
        verdict = self._verdict(across, smallest)
        family = [p for p in (whole.p_value, *(part.p_value for part in parts.values())) if p is not None]
        tested = f"{whole.test}, the smallest of {len(family)}: all images, and each prompt"
        whole = replace(whole, p_value=min(family, default=None), test=tested)
        return self._result(whole, smallest, verdict, across), by_prompt

    def _across(self, parts: Sequence[Measured], sampler: str) -> Discrepancy:
        return prompt_discrepancy(
            np.stack([part.counts for part in parts]),
            self.goal,
            self.confusion,
            level=self.plan.level,
            replicates=self.plan.replicates,
            seed=self.measurement.seed(sampler, "prompts"),
        )

    def _verdict(self, fd: Discrepancy, p_adjusted: float | None) -> Verdict:
        plan = self.plan
        return decide(fd.value, fd.low, fd.high, p_adjusted, level=plan.level, tolerance=plan.tolerance)

    def _result(
        self,
        part: Measured,
        p_adjusted: float | None,
        verdict: Verdict,
        across: Discrepancy | None = None,
        planted_for: str | None = None,
    ) -> AttributeResult:
        calibration = self.measurement.classifier.calibration(self.attribute.name)
        truth = self.measurement.truth
        known = planted(truth, planted_for, self.attribute.name) if truth and planted_for else None
        return AttributeResult(
            classifier=self.measurement.classifier.name,
            calibration=None if calibration is None else calibration.data,
            estimator="raw" if calibration is None else "corrected",
            n=part.n,
            outcomes=part.outcomes,
            counts=dict(zip(self.attribute.values, part.counts.tolist(), strict=True)),
            shares={value: _share(part, code) for code, value in enumerate(self.attribute.values)},
            target=self.target,
            fd=part.fd,
            fd_prompts=across,
            p_value=part.p_value,
            p_adjusted=p_adjusted,
            test=part.test,
            verdict=verdict,
            planted=known,
        )


def _share(part: Measured, code: int) -> Share:
    shares = part.shares
    raw = None if shares.raw is None else float(shares.raw[code])
    bounds = None
    if part.n:
        unlabelled = part.n - int(part.counts.sum())
        bounds = (part.counts[code] / part.n, (part.counts[code] + unlabelled) / part.n)
    if shares.value is None or shares.low is None or shares.high is None:
        return Share(value=None, method=shares.method, reason=shares.reason, raw=raw, bounds=bounds)
    interval = {"low": float(shares.low[code]), "high": float(shares.high[code])}
    return Share(value=float(shares.value[code]), **interval, method=shares.method, raw=raw, bounds=bounds)
