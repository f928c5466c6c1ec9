"""What the numbers do not say: for every audit of this kind, then what this run itself warns of."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.reports.names import IMAGES
from fairaudit.reports.numbers import count, listing

from fairaudit.attributes import ATTRIBUTES
from fairaudit.plan import AuditPlan
from fairaudit.results import AttributeResult, Results


def caveats(plan: AuditPlan, results: Results) -> tuple[str, ...]:
    """Sentences that a reader must know before relying on a number."""
    found = {name: one for s in results.samplers.values() for name, one in s.attributes.items()}
    every = [one for s in results.samplers.values() for one in s.attributes.values()]
    said = [
        "Attributes are perceived: a label says how a classifier reads a picture, never who a person is.",
        *_categories(found),
        *_correction(every),
        *_intervals(plan, results, every),
        *_distances(results),
        *results.caveats,
    ]
    return tuple(dict.fromkeys(said))


def _categories(found: dict[str, AttributeResult]) -> Iterator[str]:
    own = {
        name: list(one.shares)
        for name, one in found.items()
        if name in ATTRIBUTES and set(one.shares) <= set(ATTRIBUTES[name].values)
    }
    if "gender" in own:
        yield (
            f"Gender is binary here ({listing(own['gender'])}), because the classifier knows no more. It "
            "reads every face as one of the two, and the numbers say nothing of people who are neither."
        )
    if "race" in own:
        yield (
            f"Race has {count(len(own['race']), 'category', 'categories')}, those of the data set FairFace "
            f"({listing(own['race'])}), into which its annotators sorted faces by their looks. Other "
            "categories would give other shares."
        )
    if "age" in own:
        yield "Age is how old a face looks, in ranges, not how old anybody is."


def _correction(every: list[AttributeResult]) -> Iterator[str]:
    if any(one.estimator in {"corrected", "em"} for one in every):
        yield (
            "Corrected shares assume that the classifier errs on these pictures as often, and in the same "
            "way, as on the pictures of its calibration. Where that fails, so does the correction, and no "
            "interval shows it."
        )


def _intervals(plan: AuditPlan, results: Results, every: list[AttributeResult]) -> Iterator[str]:
    counted = any(one.estimator == "corrected" for one in every)
    yield (
        "Intervals cover the chance in which pictures were drawn"
        + (", and in which the classifier's errors were counted" if counted else "")
        + ". They do not cover other "
        + ("prompts, models or settings" if plan.prompts else "pictures of the same source, chosen otherwise")
        + ", nor a classifier that errs otherwise on these pictures."
    )
    if IMAGES in results.samplers:
        yield (
            "The pictures were given. The intervals take them for a random draw of what their generator "
            "makes; if somebody chose them, the shares are those of the choice."
        )


def _distances(results: Results) -> Iterator[str]:
    metrics = {metric for sampler in results.samplers.values() for metric in sampler.quality}
    if any("fid" not in metric.lower() for metric in metrics):
        yield (
            "A Fréchet distance on the features of a classifier is not FID, and is not comparable with "
            "published FID values."
        )
