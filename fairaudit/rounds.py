"""Images are made and read; with a stopping rule, round by round until it decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from fairaudit.generating import Workplace, generate, plan_units
from fairaudit.generators import Generators
from fairaudit.labelling import Classifier
from fairaudit.measurement import Measurement
from fairaudit.plan import AuditPlan
from fairaudit.prompts import Prompt
from fairaudit.reading import Eyes, read_images
from fairaudit.stopping import Watch, parse_rule
from fairaudit.store import Unit


def generate_and_read(
    place: Workplace,
    generators: Generators,
    eyes: Eyes,
    measurement: Measurement,
) -> Watch | None:
    """Make and label the plan's images that are not there yet.

    With ``until`` in the plan one block of every prompt is made and looked at, round by round, and
    no further round is made once every sampler is decided. Looks go over the same rounds again when
    a run is continued, so an interrupted run stops where an undisturbed one does.
    """
    plan = place.plan
    if plan.until is None:
        units = plan_units(plan)
        generate(place, generators, units)
        read_images(place, eyes, _work(plan, units))
        return None
    name = plan.attributes[0]
    prompts = [Prompt(template).text for template in plan.prompts]
    watch = Watch(
        parse_rule(plan.until),
        samplers=[sampler.key for sampler in plan.samplers],
        prompts=prompts,
        attribute=name,
        values=plan.attribute(name).values,
        target=_goal(plan.target(name)),
        targets={prompt: _goal(plan.target(name, prompt)) for prompt in prompts},
        confusion=measurement.confusion(name),
        level=plan.measurement.level,
        tolerance=plan.measurement.tolerance,
        planned=len(plan.prompts) * plan.sampling.images_per_prompt,
    )
    made: list[Unit] = []
    for units in _rounds(plan_units(plan)):
        generate(place, generators, units)
        read_images(place, eyes, _work(plan, units))
        made += units
        watch.look(_counts(place, eyes.classifiers[0], made, measurement))
        if watch.decided:
            break
    return watch


def _goal(target: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array(list(target.values()))


def _work(plan: AuditPlan, units: Sequence[Unit]) -> list[tuple[str, Unit]]:
    return [(sampler.key, unit) for sampler in plan.samplers for unit in units]


def _rounds(units: Sequence[Unit]) -> Iterator[list[Unit]]:
    ordered = sorted(units, key=lambda unit: (unit.block, unit.prompt))
    for _, some in groupby(ordered, key=lambda unit: unit.block):
        yield list(some)


def _counts(
    place: Workplace, classifier: Classifier, units: Sequence[Unit], measurement: Measurement
) -> dict[tuple[str, str], NDArray[np.int64]]:
    """Labels of every value so far, by sampler and prompt."""
    plan = place.plan
    attribute = plan.attribute(plan.attributes[0])
    counts = {
        (sampler.key, Prompt(template).text): np.zeros(len(attribute.values), dtype=np.int64)
        for sampler in plan.samplers
        for template in plan.prompts
    }
    for sampler in plan.samplers:
        for unit in units:
            labels = place.run.read_unit("labels", unit, classifier.name, sampler.key)
            found = measurement.seen(labels, attribute.name)[attribute.name].value_counts()
            prompt = Prompt(plan.prompts[unit.prompt]).text
            counts[sampler.key, prompt] += [int(found.get(value, 0)) for value in attribute.values]
    return counts
