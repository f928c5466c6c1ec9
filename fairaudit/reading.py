"""The second stage of a run: labels and features of every image, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.errors import ImageError
from fairaudit.faces import Face, Finder
from fairaudit.generating import Workplace
from fairaudit.labelling import BLOCKED, LABELLED, Classifier, Reading, outcome_of
from fairaudit.models.images import decode
from fairaudit.store import Unit

UNREADABLE = "unreadable"
"""Outcome of a file that is no usable picture; it counts among the skipped files, not the images."""

Fetch = Callable[[str], bytes]
"""The file of a picture that lies outside the run, by its stored path."""


@dataclass(frozen=True)
class Eyes:
    """Who looks at a run's pictures: how a face is found, and the classifiers that read it.

    Attributes
    ----------
    classifiers
        The first is the one that the run's numbers rest on.
    """

    classifiers: Sequence[Classifier]
    finder: Finder


@dataclass(frozen=True)
class Seen:
    """A picture, decoded once for all classifiers.

    Attributes
    ----------
    outcome
        `labelled` where a face can be judged.
    image
        (h, w, 3); None where the file is no usable picture.
    face
        What is judged of it; None where there is nothing to judge.
    reason
        What is wrong with the file.
    """

    outcome: str
    image: NDArray[np.uint8] | None = None
    face: Face | None = None
    reason: str | None = None


def read_images(place: Workplace, eyes: Eyes, units: Sequence[Unit], fetch: Fetch | None = None) -> None:
    """Label every stored image and extract its features, where that is not done yet.

    Parameters
    ----------
    fetch
        Where the pictures are that the run holds only the paths of.
    """
    samplers = sorted({path.parent.name for path in (place.run.folder / "samples").glob("*/*.parquet")})
    work = [(sampler, unit) for sampler in samplers for unit in units]
    todo = [(sampler, unit) for sampler, unit in work if _unread(place, eyes, sampler, unit)]
    total, left = (sum(len(unit.indices) for _, unit in some) for some in (work, todo))
    labelling = place.bars.stage("labelling", total, total - left)
    features = place.bars.stage("features", total, total - left)
    for sampler, unit in todo:
        samples = place.run.read_samples(sampler, unit)
        seen = look_at(samples["image"].to_list(), eyes.finder, fetch)
        for classifier in _unread(place, eyes, sampler, unit):
            reading = _read(classifier, seen, eyes.finder)
            where = (classifier.name, sampler, unit.name)
            place.run.write_table(place.run.path("features", *where), _features(samples, seen, reading))
            place.run.write_table(
                place.run.path("labels", *where), _labels(samples, seen, reading, classifier)
            )
        features.advance(len(seen))
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

    def one(image: dict[str, Any]) -> Seen:
        try:
            encoded = image["bytes"]
            if not isinstance(encoded, bytes):
                assert fetch is not None, "only pictures outside the run are stored as paths"
                encoded = fetch(str(image["path"]))
            picture = decode(encoded)
        except ImageError as error:
            return Seen(UNREADABLE, reason=str(error))
        if outcome_of(picture) == BLOCKED:
            return Seen(BLOCKED, picture)
        face = finder(picture)
        return Seen(face, picture) if isinstance(face, str) else Seen(LABELLED, picture, face)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, images))


def _read(classifier: Classifier, seen: Sequence[Seen], finder: Finder) -> Reading | None:
    """What a classifier reads in the faces; None where there is no face."""
    faces = [
        finder.cut(one.image, one.face, classifier.crop) for one in seen if one.face and one.image is not None
    ]
    return classifier.read(faces) if faces else None


def _labels(
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
    """Feature vectors of the faces, by index."""
    table = samples.loc[[one.face is not None for one in seen], ["index", "prompt"]].reset_index(drop=True)
    rows = list(reading.features) if reading is not None else []
    table["feature"] = pd.Series(rows, dtype=object)
    return table
