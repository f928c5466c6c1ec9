"""One attribute in one set of images: shares, discrepancy, tests and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.labelling import LABELLED, UNSURE
from fairaudit.measurement import Measurement, probabilities
from fairaudit.results import (
    AttributeResult,
    Discrepancy,
    Equivalence,
    Estimate,
    EstimatorName,
    Share,
    Spread,
    Threshold,
    Verdict,
)
from fairaudit.statistics.across import across_prompts
from fairaudit.statistics.amplification import (
    amplify,
    bias_amplification,
    directional_bias_amplification,
)
from fairaudit.statistics.discrepancy import estimate_discrepancy, null_band
from fairaudit.statistics.em import estimate_em_shares
from fairaudit.statistics.equivalence import equivalence_test
from fairaudit.statistics.indices import estimate_indices
from fairaudit.statistics.prompts import prompt_discrepancy
from fairaudit.statistics.shares import ShareEstimate, estimate_shares
from fairaudit.statistics.soft import estimate_soft_shares
from fairaudit.statistics.tests import benjamini_hochberg, goodness_of_fit, holm
from fairaudit.statistics.thresholds import threshold_shares
from fairaudit.statistics.transfer import confidence_histogram, transfer_test
from fairaudit.statistics.verdict import decide
from fairaudit.truths import planted

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Confidences at which the effect of abstaining is shown."""


@dataclass(frozen=True)
class Measured:
    """One attribute in one set of images, before the tests are adjusted."""

    n: int
    outcomes: dict[str, int]
    target: dict[str, float]
    counts: NDArray[np.int64]
    estimates: Mapping[EstimatorName, ShareEstimate]
    shares: ShareEstimate
    fd: Discrepancy
    p_value: float | None
    test: str
    equivalence: Equivalence

    @property
    def goal(self) -> NDArray[np.float64]:
        """The target as an array (K,), in the order of the values."""
        return np.array(list(self.target.values()))


@dataclass(frozen=True)
class MeasuredParts:
    """One attribute in all images, and in those of each prompt."""

    whole: Measured
    parts: Mapping[str, Measured]

    @property
    def p_values(self) -> list[float | None]:
        """All images first. All images and those of a single prompt are the same: one test, not two."""
        several = [part.p_value for part in self.parts.values()] if len(self.parts) > 1 else []
        return [self.whole.p_value, *several]


@dataclass(frozen=True)
class Adjusted:
    """p-values of one test, adjusted for its family."""

    holm: float | None
    benjamini_hochberg: float | None


def adjust(tests: Sequence[Sequence[float | None]]) -> list[list[Adjusted]]:
    """Adjust all p-values as one family, whichever attribute and prompt they belong to."""
    family = [p for some in tests for p in some]
    adjusted = iter(zip(holm(family), benjamini_hochberg(family), strict=True))
    return [[Adjusted(*next(adjusted)) for _ in some] for some in tests]


@dataclass(frozen=True)
class _Whole:
    """What is said of all images together, beside what is said of every set."""

    fd_prompts: Discrepancy | None = None
    across_prompts: dict[str, Spread] | None = None
    more: dict[str, Any] = field(default_factory=dict)


class Estimator:
    """Measures one attribute with the plan's target and the instrument's calibration."""

    def __init__(self, measurement: Measurement, attribute: str) -> None:
        self.measurement = measurement
        self.plan = measurement.plan.measurement
        self.attribute = measurement.plan.attribute(attribute)
        self.calibration = measurement.calibration(attribute)
        self.confusion = measurement.confusion(attribute)
        self.chosen = measurement.estimator(attribute)

    def __call__(self, labels: pd.DataFrame, sampler: str, prompt: str) -> Measured:
        """Shares, discrepancy and tests of a set of images."""
        spread = self._spread(sampler, prompt)
        target = self.measurement.target(self.attribute.name, labels["prompt"])
        goal = np.array(list(target.values()))
        chance = {name: spread[name] for name in ("replicates", "seed")}
        found = labels[self.attribute.name].value_counts()
        counts = np.array([int(found.get(value, 0)) for value in self.attribute.values])
        estimates = dict(self._estimates(labels, counts, spread, every=not prompt))
        shares = estimates[self.chosen]
        band = null_band(int(counts.sum()), goal, self.confusion, **spread)
        fd = estimate_discrepancy(shares, goal, level=self.plan.level, null95=band)
        p_value, test = goodness_of_fit(counts, goal, self.confusion, **chance)
        equivalence = equivalence_test(
            shares,
            goal,
            self.plan.tolerance,
            n=int(counts.sum()),
            confusion=self.confusion,
            **chance,
        )
        outcomes = {str(k): int(v) for k, v in labels["outcome"].value_counts().sort_index().items()}
        return Measured(
            n=len(labels),
            outcomes={LABELLED: 0} | outcomes,
            target=target,
            counts=counts,
            estimates=estimates,
            shares=shares,
            fd=fd,
            p_value=p_value,
            test=test,
            equivalence=equivalence,
        )

    def conclude(
        self, measured: MeasuredParts, adjusted: Sequence[Adjusted], sampler: str, labels: pd.DataFrame
    ) -> tuple[AttributeResult, dict[str, AttributeResult]]:
        """Results over all images and for each prompt, from the adjusted p-values of `p_values`."""
        whole, parts = measured.whole, measured.parts
        by_prompt = {
            prompt: self._result(
                part, p, self._verdict(part.fd, p.holm, part.equivalence), self._planted(prompt, sampler)
            )
            for (prompt, part), p in zip(parts.items(), adjusted[1:] or adjusted, strict=False)
        }
        more = self._more(whole, labels, sampler)
        if len(parts) < 2:
            verdict = self._verdict(whole.fd, adjusted[0].holm, whole.equivalence)
            known = self._planted(next(iter(parts), None), sampler)
            more |= self._amplification(list(parts.values()), list(parts), sampler)
            about = _Whole(more=more)
            return self._result(whole, adjusted[0], verdict, known, about), by_prompt
        # Opposite biases of two prompts cancel in the pooled shares, so the verdict is about the prompts.
        about = self._about_prompts(list(parts.values()), list(parts), sampler, more)
        smallest = Adjusted(
            min((p.holm for p in adjusted if p.holm is not None), default=None),
            min((p.benjamini_hochberg for p in adjusted if p.benjamini_hochberg is not None), default=None),
        )
        assert about.fd_prompts is not None
        verdict = self._verdict(about.fd_prompts, smallest.holm)
        if verdict == "fair" and any(part.verdict == "unfair" for part in by_prompt.values()):
            verdict = "unfair"  # a mean over many fair prompts would hide the one that is not
        known_p = [p for p in measured.p_values if p is not None]
        tested = f"{whole.test}, the smallest of {len(known_p)}: all images, and each prompt"
        whole = replace(whole, p_value=min(known_p, default=None), test=tested)
        return self._result(whole, smallest, verdict, None, about), by_prompt

    def _spread(self, sampler: str, prompt: str) -> dict[str, Any]:
        return {
            "level": self.plan.level,
            "replicates": self.plan.replicates,
            "seed": self.measurement.seed(sampler, prompt),
        }

    def _estimates(
        self, labels: pd.DataFrame, counts: NDArray[np.int64], spread: dict[str, Any], *, every: bool
    ) -> list[tuple[EstimatorName, ShareEstimate]]:
        """The chosen estimator's shares, and those of all that are possible if `every` is asked for."""
        found = probabilities(labels, self.attribute.name, self.attribute.values)
        found = found[labels[self.attribute.name].notna().to_numpy() & np.isfinite(found).all(axis=1)]
        estimates: list[tuple[EstimatorName, ShareEstimate]] = []
        calibration = self.calibration
        if every or self.chosen == "raw":
            estimates.append(("raw", estimate_shares(counts, **spread)))
        if every and len(found):
            estimates.append(("soft", estimate_soft_shares(found, **spread)))
        if calibration is None or self.plan.threshold:
            return estimates
        if every or self.chosen == "corrected":
            estimates.append(("corrected", estimate_shares(counts, calibration.counts, **spread)))
        if every and len(found):
            prior = calibration.counts.sum(axis=1) / calibration.counts.sum()
            estimates.append(("em", estimate_em_shares(found, prior, **spread)))
        return estimates

    def _more(self, whole: Measured, labels: pd.DataFrame, sampler: str) -> dict[str, Any]:
        """Other estimators and indices, and how much the labels' confidence can be trusted."""
        found = probabilities(labels, self.attribute.name, self.attribute.values)
        read = labels["outcome"].isin([LABELLED, UNSURE]).to_numpy()
        found = found[read & np.isfinite(found).all(axis=1)]
        spread = self._spread(sampler, "indices")
        more: dict[str, Any] = {
            "other_estimators": {
                name: {value: _estimate(shares, code) for code, value in enumerate(self.attribute.values)}
                for name, shares in whole.estimates.items()
                if name != self.chosen
            },
            "indices": estimate_indices(
                whole.shares, int(whole.counts.sum()), whole.goal, self.confusion, **spread
            ),
        }
        if len(found):
            more["thresholds"] = self._thresholds(found)
        if len(found) and self.calibration and self.calibration.confidence:
            histogram = np.array(self.calibration.confidence)
            seen = confidence_histogram(found, len(histogram))
            more["transfer"] = transfer_test(seen, histogram, level=self.plan.level)
        return more

    def _thresholds(self, found: NDArray[np.float64]) -> list[Threshold]:
        table = threshold_shares(found, THRESHOLDS)
        return [
            Threshold(
                threshold=float(threshold),
                labelled=int(labelled),
                shares={
                    value: float(share) if labelled else None
                    for value, share in zip(self.attribute.values, shares, strict=True)
                },
            )
            for threshold, labelled, shares in zip(
                table.thresholds, table.labelled, table.shares, strict=True
            )
        ]

    def _about_prompts(
        self, parts: Sequence[Measured], prompts: Sequence[str], sampler: str, more: dict[str, Any]
    ) -> _Whole:
        counts, goals = np.stack([part.counts for part in parts]), np.stack([part.goal for part in parts])
        spread = self._spread(sampler, "prompts")
        spreads = across_prompts(counts, self.confusion, **spread)
        return _Whole(
            fd_prompts=prompt_discrepancy(counts, goals, self.confusion, **spread),
            across_prompts=dict(zip(self.attribute.values, spreads, strict=True)),
            more=more | self._amplification(parts, prompts, sampler),
        )

    def _planted(self, prompt: str | None, sampler: str) -> dict[str, float] | None:
        truth = self.measurement.truth(sampler)
        if not truth or not prompt:
            return None
        return planted(truth, prompt, self.attribute.name, self.attribute.values)

    def _amplification(
        self, parts: Sequence[Measured], prompts: Sequence[str], sampler: str
    ) -> dict[str, Estimate]:
        """Over the prompts whose planted shares are known; empty where there is none."""
        both = zip(parts, (self._planted(prompt, sampler) for prompt in prompts), strict=True)
        known = [(part.counts, list(shares.values()), part.goal) for part, shares in both if shares]
        if not known:
            return {}
        counts, shares, goals = (np.array(column) for column in zip(*known, strict=True))
        spread = self._spread(sampler, "amplification")
        return {
            "bias_amplification": bias_amplification(counts, shares, goals, self.confusion, **spread),
            "directional_amplification": directional_bias_amplification(
                counts, shares, self.confusion, **spread
            ),
        }

    def _verdict(
        self, fd: Discrepancy, p_adjusted: float | None, equivalence: Equivalence | None = None
    ) -> Verdict:
        return decide(
            fd.value,
            fd.low,
            fd.high,
            p_adjusted,
            level=self.plan.level,
            tolerance=self.plan.tolerance,
            p_equivalence=None if equivalence is None else equivalence.p_value,
        )

    def _result(
        self,
        part: Measured,
        p: Adjusted,
        verdict: Verdict,
        known: dict[str, float] | None,
        about: _Whole | None = None,
    ) -> AttributeResult:
        about = about or _Whole()
        amplified = None
        if known is not None:
            changes = amplify(part.shares, np.array(list(known.values())))
            amplified = dict(zip(self.attribute.values, changes, strict=True))
        return AttributeResult(
            classifier=self.measurement.instrument.name,
            calibration=None if self.confusion is None or not self.calibration else self.calibration.data,
            estimator=self.chosen,
            n=part.n,
            outcomes=part.outcomes,
            counts=dict(zip(self.attribute.values, part.counts.tolist(), strict=True)),
            shares={value: _share(part, code) for code, value in enumerate(self.attribute.values)},
            target=part.target,
            fd=part.fd,
            fd_prompts=about.fd_prompts,
            p_value=part.p_value,
            p_adjusted=p.holm,
            p_bh=p.benjamini_hochberg,
            test=part.test,
            verdict=verdict,
            planted=known,
            amplification=amplified,
            equivalence=part.equivalence,
            across_prompts=about.across_prompts,
            **about.more,
        )


def _estimate(shares: ShareEstimate, code: int) -> Estimate:
    if shares.value is None or shares.low is None or shares.high is None:
        return Estimate(value=None, method=shares.method, reason=shares.reason)
    return Estimate(
        value=float(shares.value[code]),
        low=float(shares.low[code]),
        high=float(shares.high[code]),
        method=shares.method if shares.claim is None else f"{shares.method}; {shares.claim}",
    )


def _share(part: Measured, code: int) -> Share:
    shares = part.shares
    raw = None if shares.raw is None else float(shares.raw[code])
    bounds = None
    if part.n:
        unlabelled = part.n - int(part.counts.sum())
        bounds = (part.counts[code] / part.n, (part.counts[code] + unlabelled) / part.n)
    together = None
    if shares.simultaneous is not None:
        together = (float(shares.simultaneous[0][code]), float(shares.simultaneous[1][code]))
    return Share(**_estimate(shares, code).model_dump(), raw=raw, bounds=bounds, simultaneous=together)
