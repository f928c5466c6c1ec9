"""The second stage of a run: labels and features of every image, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit import ahead
from fairaudit.ahead import Fetch, picture_of, threads
from fairaudit.errors import ImageError
from fairaudit.faces import Face, Finder, keep_near
from fairaudit.generating import Workplace
from fairaudit.labelling import BLOCKED, LABELLED, Classifier, Reading, outcome_of
from fairaudit.store import Run, Unit

if TYPE_CHECKING:
    from fairaudit.extracting import Extractor

UNREADABLE = "unreadable"
"""Outcome of a file that is no usable picture; it counts among the skipped files, not the images."""


@dataclass(frozen=True)
class Eyes:
    """Who looks at a run's pictures: how a face is found, and the classifiers that read it.

    Attributes
    ----------
    classifiers
        The first is the one that the run's numbers rest on.
    extractors
        Networks that see whole pictures (`fairaudit.extracting`).
    """

    classifiers: Sequence[Classifier]
    finder: Finder
    extractors: Sequence[Extractor] = ()


@dataclass(frozen=True)
class Seen:
    """A picture, decoded once for all classifiers.

    Attributes
    ----------
    outcome
        `labelled` where a face can be judged.
    image
        (h, w, 3), of a large picture only what is near the face; None where there is nothing to judge.
    face
        What is judged of it, if anything.
    reason
        What is wrong with the file.
    """

    outcome: str
    image: NDArray[np.uint8] | None = None
    face: Face | None = None
    reason: str | None = None


def read_images(
    place: Workplace,
    eyes: Eyes,
    work: Sequence[tuple[str, Unit]],
    fetches: Mapping[str, Fetch] | None = None,
) -> None:
    """Label every stored image and extract its features, where that is not done yet.

    Parameters
    ----------
    work
        Samplers with their units.
    fetches
        By sampler: where the pictures are that the run holds only the names of.
    """
    todo = [(sampler, unit) for sampler, unit in work if _unread(place, eyes, sampler, unit)]
    total, left = (sum(len(unit.indices) for _, unit in some) for some in (work, todo))
    labelling = place.bars.stage("labelling", total, total - left)
    for (sampler, unit), samples, seen in look_ahead(place.run, todo, eyes.finder, fetches or {}):
        for classifier in _unread(place, eyes, sampler, unit):
            reading = read_faces(classifier, seen, eyes.finder)
            where = (classifier.name, sampler, unit.name)
            place.run.write_table(place.run.path("features", *where), _features(samples, seen, reading))
            place.run.write_table(
                place.run.path("labels", *where), label_table(samples, seen, reading, classifier)
            )
        labelling.advance(len(seen))


def _unread(place: Workplace, eyes: Eyes, sampler: str, unit: Unit) -> list[Classifier]:
    """The classifiers that have not read a unit yet; labels are written last, so they vouch for features."""
    return [
        classifier
        for classifier in eyes.classifiers
        if not place.run.path("labels", classifier.name, sampler, unit.name).exists()
    ]


def look_at(images: Sequence[dict[str, Any]], finder: Finder, fetch: Fetch | None) -> list[Seen]:
    """Decode stored pictures ``{"bytes", "path"}`` and find the face of each."""
    with ThreadPoolExecutor(threads()) as pool:
        return list(pool.map(lambda image: _look(image, finder, fetch), images))


def look_ahead(
    run: Run, work: Sequence[tuple[str, Unit]], finder: Finder, fetches: Mapping[str, Fetch]
) -> Iterator[tuple[tuple[str, Unit], pd.DataFrame, list[Seen]]]:
    """Every unit's samples and what is seen in them; the next are decoded while one is read."""
    return ahead.look_ahead(
        work,
        lambda one: run.read_samples(*one),
        lambda one, image: _look(image, finder, fetches.get(one[0])),
    )


def _look(image: Mapping[str, Any], finder: Finder, fetch: Fetch | None) -> Seen:
    try:
        picture = picture_of(image, fetch)
    except ImageError as error:
        return Seen(UNREADABLE, reason=str(error))
    if outcome_of(picture) == BLOCKED:
        return Seen(BLOCKED)
    face = finder(picture)
    return Seen(face) if isinstance(face, str) else Seen(LABELLED, *keep_near(picture, face))


def read_faces(classifier: Classifier, seen: Sequence[Seen], finder: Finder) -> Reading | None:
    """What a classifier reads in the faces; None where there is no face."""
    faces = [
        finder.cut(one.image, one.face, classifier.crop) for one in seen if one.face and one.image is not None
    ]
    return classifier.read(faces) if faces else None


def label_table(
    samples: pd.DataFrame, seen: Sequence[Seen], reading: Reading | None, classifier: Classifier
) -> pd.DataFrame:
    """The label table: outcome, and for each attribute its value and probabilities."""
    table = pd.DataFrame(
        {
            "image": [image["path"] for image in samples["image"]],
            "prompt": samples["prompt"],
            "index": samples["index"],
            "outcome": [one.outcome for one in seen],
            "reason": [one.reason for one in seen],
        }
    )
    judged = np.array([one.face is not None for one in seen])
    for name, values in classifier.values.items():
        probabilities = np.full((len(table), len(values)), np.nan, dtype=np.float32)
        if reading is not None:
            probabilities[judged] = reading.probabilities[name]
        labelled = np.asarray(np.isfinite(probabilities).all(1))
        best = np.where(labelled, np.nan_to_num(probabilities).argmax(1), 0)
        table[name] = [values[code] if ok else None for code, ok in zip(best, labelled, strict=True)]
        for column, value in enumerate(values):
            table[f"{name}.p.{value}"] = probabilities[:, column]
    return table


def _features(samples: pd.DataFrame, seen: Sequence[Seen], reading: Reading | None) -> pd.DataFrame:
    """Feature vectors of the faces, by index; a classifier that sees nothing in a face has none of it."""
    table = samples.loc[[one.face is not None for one in seen], ["index", "prompt"]].reset_index(drop=True)
    if reading is None:
        return table.assign(feature=pd.Series([], dtype=object))
    table["feature"] = pd.Series(list(reading.features), dtype=object)
    seeing = np.flatnonzero(np.isfinite(reading.features).all(axis=1))
    return table.iloc[seeing].reset_index(drop=True)
