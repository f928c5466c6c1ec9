"""The third stage of a run: stored labels and features to results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fairaudit import registry
from fairaudit.agreeing import agreement_of
from fairaudit.brought import about_brought, without_cost, without_images
from fairaudit.calibrations import misfits
from fairaudit.comparing import compare_samplers
from fairaudit.costs import cost_of
from fairaudit.crossing import cross_attributes
from fairaudit.errors import ImageError, UsageError
from fairaudit.estimating import Estimator, MeasuredParts, adjust
from fairaudit.extracting import Extractor
from fairaudit.gathering import MOST_PROMPTS, Given
from fairaudit.generating import make_sampler
from fairaudit.humans import human_of
from fairaudit.labelling import Classifier, caveats_of
from fairaudit.measurement import Measurement
from fairaudit.pictures.collection import add_skipped, first_of_each_kind, kind_of
from fairaudit.plan import AuditPlan
from fairaudit.probing import obfuscation_of
from fairaudit.prompts import Prompt
from fairaudit.qualities import Qualities
from fairaudit.reading import UNREADABLE
from fairaudit.references import NO_REFERENCE, Against, Statistics
from fairaudit.results import AttributeResult, PromptResult, Results, SamplerResult
from fairaudit.stopping import Watch
from fairaudit.store import Run
from fairaudit.tradeoff import with_tradeoffs
from fairaudit.utilities import Utility

Labels = Mapping[str, pd.DataFrame]


def measure(
    run: Run,
    measurement: Measurement,
    classifier: Classifier,
    *,
    extractors: Sequence[Extractor] = (),
    against: Against | None = None,
    given: Given | None = None,
    brought: Labels | None = None,
    watch: Watch | None = None,
) -> Results:
    """Everything that results.json holds, from what a run has stored of its images.

    Parameters
    ----------
    brought
        Labels that the samplers are compared with, by the name of their table.
    """
    plan, given, brought = measurement.plan, given or Given(), brought or {}
    names = [*(sampler.key for sampler in plan.samplers), *given.collections]
    stored = {name: run.read_all("labels", classifier.name, name) for name in names}
    labels, unusable = _usable(stored | dict(brought), given.skipped)
    if empty := next((name for name in labels if not len(labels[name])), None):
        source = plan.against.get(empty, plan.generator)
        raise ImageError(f"none of the {len(unusable)} files of {source} is a readable picture")
    seen = {name: labels[name] for name in names}
    quality = Qualities(
        run,
        measurement,
        classifier,
        extractors,
        against=against or Statistics({}, NO_REFERENCE),
        labels=seen,
    )
    utility = Utility(run, plan, classifier, extractors, seen)
    prompts = [Prompt(template).text for template in plan.prompts] or given.prompts
    samplers = {
        name: SamplerResult(
            title=_title(plan, name),
            parameters=_parameters(plan, name),
            **_fairness(measurement, name, labels[name], _own(plan, prompts, name, labels)),
            quality=quality.of(name),
            quality_by_value=quality.by_value(name),
            **utility.of(name),
            cost=cost_of(run, name),
            obfuscation=obfuscation_of(run, plan, classifier, name),
            generator=_generator(plan, name),
            agreement=agreement_of(run, measurement, name, labels[name]),
            human=human_of(run, measurement, name, labels[name]),
        )
        for name in names
    }
    readers = {name: _brought(measurement, name, labels, prompts, samplers[names[0]]) for name in brought}
    compared = compare_samplers(measurement, labels, prompts, plan.reference_sampler or _first(names))
    results = Results(
        plan_digest=plan.digest,
        generator=plan.generator,
        n=len(labels[names[0]]),
        skipped=first_of_each_kind(unusable),
        skipped_counts=dict(Counter(map(kind_of, unusable.values()))),
        samplers=samplers | readers,
        comparisons=[*compared, *quality.comparisons(), *utility.comparisons()],
        downstream=utility.downstreams(),
        caveats=[
            *_about_images(plan, classifier),
            *_about_given(given),
            *_about_labels(plan, samplers),
            *about_brought(plan, brought),
        ],
    )
    # The tests of the trade-off promise nothing at a stop that the images themselves brought about.
    results = with_tradeoffs(results, plan.measurement.level if watch is None else 0.0)
    return results if watch is None else watch.conclude(results)


def measure_labels(
    measurement: Measurement, labels: Labels, prompts: Sequence[str], *, paired: bool
) -> Results:
    """The same from labels that someone brings: what needs the images themselves is left out.

    Parameters
    ----------
    labels
        One table of labels for each sampler.
    paired
        Whether rows of equal prompt and index were made from the same noise.
    """
    plan, names = measurement.plan, list(labels)
    labels, unusable = _usable(labels, {})
    if empty := next((name for name in names if not len(labels[name])), None):
        raise UsageError(f"{plan.generator} has no row of {empty} with a readable picture")
    samplers = {
        name: SamplerResult(
            title="labels of the table",
            parameters={},
            **_fairness(measurement, name, table, prompts),
            quality={},
            utility={},
            cost=without_cost(),
        )
        for name, table in labels.items()
    }
    results = Results(
        plan_digest=plan.digest,
        generator=plan.generator,
        n=max(len(table) for table in labels.values()),
        skipped=first_of_each_kind(unusable),
        skipped_counts=dict(Counter(map(kind_of, unusable.values()))),
        samplers=samplers,
        comparisons=compare_samplers(measurement, labels, prompts, _first(names)) if paired else [],
        caveats=[*_about_pairs(labels, paired=paired), *_about_labels(plan, samplers)],
    )
    return with_tradeoffs(results, plan.measurement.level)


def _usable(labels: Labels, skipped: Mapping[str, str]) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """The labels of pictures, and what is wrong with the files that are none, with those skipped before."""
    usable: dict[str, pd.DataFrame] = {}
    unusable = dict(skipped)
    for name, table in labels.items():
        broken = table["outcome"] == UNREADABLE
        reasons = table["reason"][broken].fillna(UNREADABLE)
        add_skipped(unusable, name, zip(table["image"][broken], reasons, strict=True))
        usable[name] = table[~broken]
    return usable, unusable


def _brought(
    measurement: Measurement, name: str, labels: Labels, prompts: Sequence[str], like: SamplerResult
) -> SamplerResult:
    """Shares of labels that were brought, and why the other numbers that `like` has are not there."""
    plan = measurement.plan
    return SamplerResult(
        title=f"labels of {plan.against[name]}",
        parameters={},
        **_fairness(measurement.of(name), name, labels[name], _own(plan, prompts, name, labels)),
        **without_images(like),
        cost=without_cost(),
        generator=_generator(plan, name),
    )


def _first(names: Sequence[str]) -> str:
    """The sampler that others are compared with, where a plan names none."""
    return "baseline" if "baseline" in names else names[0]


def _own(plan: AuditPlan, prompts: Sequence[str], sampler: str, labels: Labels) -> list[str]:
    """The prompts that a sampler has images of: what was given need not have all."""
    if sampler in [one.key for one in plan.samplers]:
        return list(prompts)
    there = set(labels[sampler]["prompt"])
    return [prompt for prompt in prompts if prompt in there]


def _title(plan: AuditPlan, name: str) -> str:
    plans = {sampler.key: sampler for sampler in plan.samplers}
    if name not in plans:
        return f"images of {plan.against.get(name, plan.generator)}"
    documentation = type(make_sampler(plans[name])).__doc__ or name
    return documentation.split("\n")[0]


def _parameters(plan: AuditPlan, name: str) -> dict[str, Any]:
    """All parameters of a sampler, the defaults too."""
    for sampler in plan.samplers:
        if sampler.key == name:
            own = {key: value for key, value in vars(make_sampler(sampler)).items() if key != "name"}
            scale = sampler.guidance_scale
            return own if scale is None else own | {"guidance_scale": scale}
    return {}


def _generator(plan: AuditPlan, name: str) -> str | None:
    """What a sampler ran on, where that is not the same for all."""
    if len(plan.generators) < 2 and not plan.against:
        return None
    named = plan.against | {sampler.key: plan.generator_of(sampler) for sampler in plan.samplers}
    return named[name]


def _fairness(
    measurement: Measurement, sampler: str, labels: pd.DataFrame, prompts: Sequence[str]
) -> dict[str, Any]:
    """Attributes over all images and for each prompt, their tests adjusted together; intersections."""
    names = measurement.plan.attributes
    seen = {name: measurement.seen(labels, name) for name in names}
    estimators = {name: Estimator(measurement, name) for name in names}
    measured = {
        name: MeasuredParts(
            estimator(seen[name], sampler, ""),
            {
                prompt: estimator(seen[name][seen[name]["prompt"] == prompt], sampler, prompt)
                for prompt in prompts
            },
        )
        for name, estimator in estimators.items()
    }
    adjusted = adjust([parts.p_values for parts in measured.values()])
    attributes: dict[str, AttributeResult] = {}
    by_prompt: dict[str, PromptResult] = {prompt: PromptResult(attributes={}) for prompt in prompts}
    for name, p_values in zip(names, adjusted, strict=True):
        concluded = estimators[name].conclude(measured[name], p_values, sampler, seen[name])
        attributes[name] = concluded[0]
        for prompt, result in concluded[1].items():
            by_prompt[prompt].attributes[name] = result
    crossed = cross_attributes(measurement, sampler, labels)
    return {"attributes": attributes, "prompts": by_prompt, "intersections": crossed}


def _about_images(plan: AuditPlan, classifier: Classifier) -> list[str]:
    caveats = [*_about_faces(plan), *caveats_of(classifier), *misfits(plan, classifier)]
    if plan.prompts and not all(name.startswith(("builtin:", "analytic:")) for name in plan.generators):
        caveats.append("Images were made without the model's safety filter, if it has one.")
    return caveats


def _about_faces(plan: AuditPlan) -> list[str]:
    if plan.faces == "whole-image":
        return [
            "Every image is taken as one face: no face detector runs, so images without a face are labelled "
            "too."
        ]
    several = {
        "largest": "of several faces the largest is judged",
        "exclude-many": "images with several faces are not judged",
    }
    policy = (
        f"Faces are looked for by {plan.detector} (policy {plan.faces}): {several[plan.faces]}, and images "
        "in which it finds none are not judged. A detector may miss the faces of one group more often."
    )
    return [policy, *caveats_of(registry.load("detectors", plan.detector))]


def _about_given(given: Given) -> list[str]:
    if given.prompts == given.all_prompts:
        return []
    return [
        f"The images have {len(given.all_prompts)} prompts, more than {MOST_PROMPTS}: "
        "they are measured together, not prompt by prompt."
    ]


def _about_pairs(labels: Labels, *, paired: bool) -> list[str]:
    if len(labels) < 2:
        return []
    if not paired:
        return [
            "Samplers are not compared: the table has no column 'index' that says which images are pairs."
        ]
    keys = [set(zip(table["prompt"].fillna(""), table["index"], strict=True)) for table in labels.values()]
    alone = len(set.union(*keys)) - len(set.intersection(*keys))
    if not alone:
        return []
    return [
        f"{alone} images have no partner of equal prompt and index under every sampler: "
        "comparisons leave them out."
    ]


def _about_labels(plan: AuditPlan, samplers: Mapping[str, SamplerResult]) -> list[str]:
    caveats = []
    results = [result for sampler in samplers.values() for result in sampler.attributes.values()]
    uncorrected = {
        name
        for sampler in samplers.values()
        for name, result in sampler.attributes.items()
        if result.calibration is None
    }
    if plan.measurement.threshold:
        caveats.append(
            f"Labels of less than {plan.measurement.threshold:g} confidence count as unsure; a calibration "
            "that counted them does not hold for the others, so shares are uncorrected."
        )
    elif plan.measurement.estimator == "raw":
        caveats.append("Shares are raw by choice: not corrected for errors of the labels.")
    else:
        caveats += [
            f"Labels of {name} have no calibration: their shares are uncorrected."
            for name in sorted(uncorrected)
        ]
    if any(result.calibration is not None for result in results):
        caveats.append(
            "The calibration was made on photographs; on generated images the classifier may err otherwise."
        )
    warned = [result for result in results if result.transfer is not None and result.transfer.warning]
    if warned:
        caveats.append(
            "The labels are less or more confident than those of the calibration: it may not hold here."
        )
    return caveats
