"""The third stage of a run: stored labels and features to results."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairaudit.attributes import get_attribute
from fairaudit.costs import cost_of
from fairaudit.errors import ImageError
from fairaudit.estimating import Estimator, Measurement, Truth
from fairaudit.generating import IMAGES, make_sampler
from fairaudit.labelling import Classifier
from fairaudit.plan import AuditPlan
from fairaudit.preserving import utility_of
from fairaudit.prompts import Prompt
from fairaudit.qualities import Reference, quality_of
from fairaudit.reading import UNREADABLE
from fairaudit.results import AttributeResult, Comparison, PromptResult, Results, SamplerResult
from fairaudit.statistics.paired import PairedDifference, paired_fd_difference
from fairaudit.statistics.prompts import paired_prompt_difference
from fairaudit.statistics.tests import holm
from fairaudit.store import Run


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
    if not len(labels[names[0]]):
        raise ImageError(f"none of the {len(unusable)} files of {plan.generator} is a readable picture")
    against = Reference.find(run, plan, classifier, reference)
    samplers = {
        name: SamplerResult(
            title=_title(plan, name),
            parameters=_parameters(plan, name),
            **_fairness(measurement, name, labels[name]),
            quality=quality_of(run, plan, classifier, name, against),
            utility=utility_of(
                run, plan, classifier, sampler=name, baseline=plan.reference_sampler, labels=labels
            ),
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


def _comparisons(measurement: Measurement, labels: Mapping[str, pd.DataFrame]) -> list[Comparison]:
    """Every pair of samplers, image by image; tests adjusted over the pairs of an attribute."""
    found: list[Comparison] = []
    for name in measurement.plan.attributes:
        metric = f"{name}.fd_prompts" if len(measurement.plan.prompts) > 1 else f"{name}.fd"
        order = sorted(labels, key=lambda sampler: sampler != measurement.plan.reference_sampler)
        pairs = [(a, b) for b, a in combinations(order, 2)]
        compared = [_compare(measurement, labels, name, a, b) for a, b in pairs]
        adjusted = holm([paired.p_value for paired in compared])
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
            for (a, b), paired, p in zip(pairs, compared, adjusted, strict=True)
        ]
    return found


def _compare(
    measurement: Measurement, labels: Mapping[str, pd.DataFrame], name: str, a: str, b: str
) -> PairedDifference:
    plan, values = measurement.plan, list(get_attribute(name).values)
    both = [_codes(labels[sampler], name, values).rename(side) for sampler, side in ((a, "a"), (b, "b"))]
    joined = pd.concat(both, axis=1, join="inner")
    compare = paired_prompt_difference if len(plan.prompts) > 1 else paired_fd_difference
    return compare(
        joined["a"].to_numpy(),
        joined["b"].to_numpy(),
        pd.factorize(joined.index.get_level_values("prompt"))[0],
        np.array(list(plan.target(name).values())),
        measurement.confusion(name),
        level=plan.measurement.level,
        replicates=plan.measurement.replicates,
        seed=measurement.seed(a, b, name),
    )


def _codes(labels: pd.DataFrame, attribute: str, values: list[str]) -> pd.Series[int]:
    """Value codes by prompt and index, -1 without a label."""
    codes = pd.Categorical(labels[attribute], categories=values).codes.astype(np.int64)
    return pd.Series(codes, index=pd.MultiIndex.from_frame(labels[["prompt", "index"]]))


def _caveats(plan: AuditPlan, samplers: Mapping[str, SamplerResult]) -> list[str]:
    caveats = [
        "Every image is taken as one face: no face detector runs, so images without a face are labelled too."
    ]
    results = [result for sampler in samplers.values() for result in sampler.attributes.values()]
    uncalibrated = {result.classifier for result in results if result.calibration is None}
    caveats += [f"{name} has no calibration: its shares are uncorrected." for name in sorted(uncalibrated)]
    if any(result.calibration is not None for result in results):
        caveats.append(
            "The calibration was made on photographs; on generated images the classifier may err otherwise."
        )
    if plan.prompts and not plan.generator.startswith("builtin:"):
        caveats.append("Images were made without the model's safety filter, if it has one.")
    return caveats
