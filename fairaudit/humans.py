"""What people say of a run's pictures, beside what the classifier says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.agreeing import agree, codes
from fairaudit.annotation.answers import Answer, all_answers
from fairaudit.annotation.drawing import in_order, strata_of
from fairaudit.measurement import Measurement
from fairaudit.reading import UNREADABLE
from fairaudit.results import Agreement, Estimate, Human, HumanShare
from fairaudit.statistics.agreement import MISSING
from fairaudit.statistics.prediction_powered import Judged, powered_share
from fairaudit.statistics.simultaneous import binomial_interval
from fairaudit.store import Run

MACHINE = "labels of the classifier that are the annotators', Wilson"
CANNOT_TELL = "cannot tell"


def human_of(run: Run, measurement: Measurement, sampler: str, labels: pd.DataFrame) -> dict[str, Human]:
    """By attribute: what annotators say of a sampler's images.

    Several annotators of an image decide by majority; where none has one, they could not tell.

    Parameters
    ----------
    labels
        The classifier's labels of all images of the sampler.
    """
    found = {}
    for attribute in measurement.plan.attributes:
        given = answers_of(run.folder, sampler, attribute)
        if given:
            found[attribute] = _human(measurement, sampler, attribute, labels, given)
    return found


def answers_of(run: Path, sampler: str, attribute: str) -> dict[str, list[Answer]]:
    """By annotator: the answers about one attribute in a sampler's images; those without any are left out."""
    if not (run / "annotations").is_dir():
        return {}
    found = {
        answers.annotator: [
            answer
            for answer in answers.given
            if (answer.question.sampler, answer.question.attribute) == (sampler, attribute)
        ]
        for answers in all_answers(run)
    }
    return {annotator: given for annotator, given in found.items() if given}


def majority(ratings: NDArray[np.int64], values: int) -> NDArray[np.int64]:
    """What most say (n,), from codes (n, R); those outside 0 to values - 1 do not count. -1 on a tie."""
    votes = (ratings[:, :, None] == np.arange(values)).sum(axis=1)
    most = votes.max(axis=1)
    alone = (votes == most[:, None]).sum(axis=1) == 1
    return np.where(alone & (most > 0), votes.argmax(axis=1), -1)


@dataclass(frozen=True)
class Looked:
    """What annotators say by image.

    Attributes
    ----------
    images
        (n,) rows of the labels that somebody judged, rising.
    ratings
        (n, R) codes of the values by annotator; K is "cannot tell", -1 not judged.
    human
        (n,) what most of them say; -1 is "cannot tell".
    left_out
        Images that were judged although one before them was not.
    """

    images: NDArray[np.int64]
    ratings: NDArray[np.int64]
    human: NDArray[np.int64]
    left_out: int


def judged_images(
    labels: pd.DataFrame, given: Mapping[str, Sequence[Answer]], values: Sequence[str], digest: str
) -> Looked:
    """What annotators say of a sampler's images, up to the first in the order of the draw that nobody judged.

    Only such a beginning is a draw by chance: of what comes after, somebody has chosen what to judge.

    Parameters
    ----------
    digest
        The plan's, from which the order of the draw follows.
    """
    labels = labels.reset_index(drop=True)
    code = {value: place for place, value in enumerate(values)} | {None: len(values)}
    keys = zip(labels["prompt"].fillna(""), labels["index"], strict=True)
    rows = {key: row for row, key in enumerate(keys)}
    ratings = np.full((len(labels), len(given)), MISSING)
    for column, answers in enumerate(given.values()):
        for answer in answers:
            row = rows.get((answer.question.prompt or "", answer.question.index))
            if row is not None:
                ratings[row, column] = code.get(answer.value, MISSING)
    judged = (ratings != MISSING).any(axis=1)
    question = next(iter(given.values()))[0].question
    readable = labels[labels["outcome"] != UNREADABLE]
    order = in_order(readable, digest, question.sampler, question.draw).index.to_numpy()
    images = np.sort(order[np.logical_and.accumulate(judged[order])])
    left_out = int(judged.sum()) - len(images)
    return Looked(images, ratings[images], majority(ratings[images], len(values)), left_out)


def _human(
    measurement: Measurement,
    sampler: str,
    attribute: str,
    labels: pd.DataFrame,
    given: Mapping[str, Sequence[Answer]],
) -> Human:
    values = measurement.plan.attribute(attribute).values
    level = measurement.plan.measurement.level
    draw = next(iter(given.values()))[0].question.draw
    looked = judged_images(labels, given, values, measurement.plan.digest)
    judged = Judged(
        machine=codes({"": measurement.seen(labels, attribute)[attribute]}, values)[:, 0],
        images=looked.images,
        human=looked.human,
        strata=np.unique(strata_of(labels, draw), return_inverse=True)[1],
    )
    shares = {}
    for code, value in enumerate(values):
        found = powered_share(judged, code, level=level)
        shares[value] = HumanShare(**found.share.model_dump(), alone=found.alone, narrower=found.narrower)
    return Human(
        annotators=list(given),
        draw=draw,
        images=len(looked.images),
        left_out=looked.left_out,
        known=int((looked.human >= 0).sum()),
        shares=shares,
        machine=_machine(judged, level),
        agreement=_agreement(measurement, sampler, attribute, list(given), looked.ratings),
    )


def _machine(judged: Judged, level: float) -> Estimate:
    """How often the classifier's label is the annotators', the strata weighed by their sizes."""
    label = judged.machine[judged.images]
    both = (label >= 0) & (judged.human >= 0)
    if not both.any():
        return Estimate(value=None, method=MACHINE, reason="no picture that both label")
    weights = judged.weights[both]
    n = weights.sum() ** 2 / (weights**2).sum()
    hit = float(weights[(label == judged.human)[both]].sum() / weights.sum())
    low, high = binomial_interval(np.array([hit, 1 - hit]) * n, level, np.array([n, n]))
    return Estimate(value=hit, low=float(low[0]), high=float(high[0]), method=MACHINE)


def _agreement(
    measurement: Measurement, sampler: str, attribute: str, annotators: list[str], ratings: NDArray[np.int64]
) -> Agreement | None:
    """How far annotators agree; that one cannot tell is an answer as any other."""
    if len(annotators) < 2:
        return None
    plan = measurement.plan
    seed = measurement.seed(sampler, "annotators", attribute)
    spread = {"level": plan.measurement.level, "replicates": plan.measurement.replicates, "seed": seed}
    return agree(annotators, ratings, [*plan.attribute(attribute).values, CANNOT_TELL], spread)
