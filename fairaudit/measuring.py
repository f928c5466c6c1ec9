"""The third stage of a run: stored labels and features to results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.attributes import get_attribute
from fairaudit.costs import cost_of
from fairaudit.digests import seed_of
from fairaudit.generating import IMAGES, make_sampler
from fairaudit.labelling import LABELLED, Classifier
from fairaudit.models.builtin import planted
from fairaudit.plan import AuditPlan
from fairaudit.preserving import utility_of
from fairaudit.prompts import Prompt
from fairaudit.qualities import Reference, quality_of
from fairaudit.reading import UNREADABLE
from fairaudit.results import (
    AttributeResult,
    Comparison,
    Discrepancy,
    PromptResult,
    Results,
    SamplerResult,
    Share,
)
from fairaudit.statistics.discrepancy import estimate_discrepancy, null_band
from fairaudit.statistics.paired import paired_fd_difference
from fairaudit.statistics.prompts import paired_prompt_difference, prompt_discrepancy
from fairaudit.statistics.shares import ShareEstimate, estimate_shares
from fairaudit.statistics.tests import goodness_of_fit, holm
from fairaudit.statistics.verdict import decide
from fairaudit.store import Run

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


def measure(
    run: Run,
    plan: AuditPlan,
    classifier: Classifier,
    *,
    truth: Truth | None = None,
    reference: Path | None = None,
    skipped: Mapping[str, str] | None = None,
) -> Results:
    """Everything that results.json holds, from what a run has stored."""
    measurement = Measurement(plan, classifier, truth)
    names = [sampler.name for sampler in plan.samplers] or [IMAGES]
    labels = {name: run.read_all("labels", classifier.name, name) for name in names}
    unusable = dict(skipped or {})
    for name in names:
        broken = labels[name]["outcome"] == UNREADABLE
        unusable |= dict(zip(labels[name]["image"][broken], labels[name]["reason"][broken], strict=True))
        labels[name] = labels[name][~broken]
    against = Reference.find(run, plan, classifier, reference)
    samplers = {
        name: SamplerResult(
            title=_title(plan, name),
            parameters=_parameters(plan, name),
            **_fairness(measurement, name, labels[name]),
            quality=quality_of(run, plan, classifier, name, against),
            utility=utility_of(run, plan, classifier, name, names[0], labels),
            cost=cost_of(run, name),
        )
        for name in names
    }
    return Results(
        plan_digest=plan.digest,
        generator=plan.generator,
        n=len(labels[names[0]]),
        skipped=unusable,
        samplers=samplers,
        comparisons=_comparisons(measurement, labels) if len(names) > 1 else [],
        caveats=_caveats(plan, samplers),
    )


def _title(plan: AuditPlan, name: str) -> str:
    if name == IMAGES:
        return "images of the folder"
    plans = {sampler.name: sampler for sampler in plan.samplers}
    documentation = type(make_sampler(plans[name])).__doc__ or name
    return documentation.split("\n")[0]


def _parameters(plan: AuditPlan, name: str) -> dict[str, Any]:
    """All parameters of a sampler, the defaults too."""
    for sampler in plan.samplers:
        if sampler.name == name:
            return {key: value for key, value in vars(make_sampler(sampler)).items() if key != "name"}
    return {}


def _fairness(measurement: Measurement, sampler: str, labels: pd.DataFrame) -> dict[str, Any]:
    """Attributes over all images, and for each prompt; their tests adjusted together."""
    plan = measurement.plan
    prompts = [Prompt(template).text for template in plan.prompts]
    attributes: dict[str, AttributeResult] = {}
    by_prompt: dict[str, PromptResult] = {prompt: PromptResult(attributes={}) for prompt in prompts}
    for name in plan.attributes:
        estimator = Estimator(measurement, name)
        parts = {prompt: estimator(labels[labels["prompt"] == prompt], sampler, prompt) for prompt in prompts}
        whole = estimator(labels, sampler, "")
        results = estimator.conclude(whole, parts, sampler)
        attributes[name] = results[0]
        for prompt, result in results[1].items():
            by_prompt[prompt].attributes[name] = result
    return {"attributes": attributes, "prompts": by_prompt}


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
        chance = {"replicates": self.plan.replicates, "seed": self.measurement.seed(sampler, prompt)}
        spread = {"level": self.plan.level, **chance}
        found = labels[self.attribute.name].value_counts()
        counts = np.array([int(found.get(value, 0)) for value in self.attribute.values])
        shares = estimate_shares(counts, self.confusion, **spread)
        band = null_band(int(counts.sum()), self.goal, self.confusion, **spread)
        fd = estimate_discrepancy(shares, self.goal, level=self.plan.level, null95=band)
        p_value, test = goodness_of_fit(counts, self.goal, self.confusion, **chance)
        outcomes = labels["outcome"].value_counts().sort_index().to_dict()
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

    def _verdict(self, fd: Discrepancy, p_adjusted: float | None) -> Any:
        plan = self.plan
        return decide(fd.value, fd.low, fd.high, p_adjusted, level=plan.level, tolerance=plan.tolerance)

    def _result(
        self,
        part: Measured,
        p_adjusted: float | None,
        verdict: Any,
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


def _comparisons(measurement: Measurement, labels: Mapping[str, pd.DataFrame]) -> list[Comparison]:
    """Every pair of samplers, image by image; tests adjusted over the pairs of an attribute."""
    found: list[Comparison] = []
    plan = measurement.plan.measurement
    for name in measurement.plan.attributes:
        values = list(get_attribute(name).values)
        goal = np.array(list(measurement.plan.target(name).values()))
        tables = {sampler: _codes(table, name, values) for sampler, table in labels.items()}
        several = len(measurement.plan.prompts) > 1
        compared = paired_prompt_difference if several else paired_fd_difference
        metric = f"{name}.fd_prompts" if several else f"{name}.fd"
        family = []
        for b, a in combinations(tables, 2):
            joined = tables[a].join(tables[b], lsuffix="_a", rsuffix="_b", how="inner")
            prompts = joined.index.get_level_values("prompt")
            paired = compared(
                joined["code_a"].to_numpy(),
                joined["code_b"].to_numpy(),
                pd.factorize(prompts)[0],
                goal,
                measurement.confusion(name),
                level=plan.level,
                replicates=plan.replicates,
                seed=measurement.seed(a, b, name),
            )
            family.append((a, b, paired))
        adjusted = holm([paired.p_value for _, _, paired in family])
        found += [
            Comparison(
                metric=metric,
                a=a,
                b=b,
                difference=paired.difference,
                p_value=paired.p_value,
                p_adjusted=p,
                test=paired.test,
            )
            for (a, b, paired), p in zip(family, adjusted, strict=True)
        ]
    return found


def _codes(labels: pd.DataFrame, attribute: str, values: list[str]) -> pd.DataFrame:
    codes = pd.Categorical(labels[attribute], categories=values).codes
    return pd.DataFrame({"code": codes.astype(np.int64)}, index=pd.MultiIndex.from_frame(labels[["prompt", "index"]]))


def _caveats(plan: AuditPlan, samplers: Mapping[str, SamplerResult]) -> list[str]:
    caveats = [
        "Every image is taken as one face: no face detector runs, so images without a face are labelled too."
    ]
    results = [result for sampler in samplers.values() for result in sampler.attributes.values()]
    uncalibrated = {result.classifier for result in results if result.calibration is None}
    caveats += [f"{name} has no calibration: its shares are uncorrected." for name in sorted(uncalibrated)]
    if any(result.calibration is not None for result in results):
        caveats.append(
            "The calibration was made on photographs. On generated images the classifier may err in other ways."
        )
    if plan.prompts and not plan.generator.startswith("builtin:"):
        caveats.append("Images were made without the model's safety filter, if it has one.")
    return caveats
