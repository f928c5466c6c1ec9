"""How often a classifier errs, counted on faces whose values are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.attributes import BETWEEN
from fairaudit.errors import NotEnoughEvidenceError
from fairaudit.faces import Finder
from fairaudit.known_faces import KnownFaces
from fairaudit.labelling import LABELLED, Calibration, Classifier, Reliability, ReliabilityCurve
from fairaudit.progress import Bars
from fairaudit.reading import label_table, look_at, read_faces
from fairaudit.statistics.reliability import Curve, cross_tempered, fit_temperature, reliability, temper
from fairaudit.statistics.transfer import confidence_histogram

CONFIDENCE_BINS = 20
STRATIFIED = "no temperature, confidence and reliability: the pictures were drawn by strata"


@dataclass(frozen=True)
class Read:
    """What a classifier said of known faces.

    Attributes
    ----------
    said
        By attribute (n,) codes of its labels; -1 is none.
    probabilities
        By attribute (n, K); NaN where there is no label.
    outcomes
        (n,) of each picture.
    """

    said: Mapping[str, NDArray[np.int64]]
    probabilities: Mapping[str, NDArray[np.float64]]
    outcomes: NDArray[np.str_]


@dataclass(frozen=True)
class Calibrated:
    """The calibrations of a classifier, and what of them the faces do not tell.

    Attributes
    ----------
    within
        By attribute and other attribute: recall (K, L) of each value among the faces that have each
        value of the other; NaN where there is none.
    left_out
        By attribute, or several joined: what there is no calibration of, and why.
    """

    found: Mapping[str, Calibration]
    within: Mapping[str, Mapping[str, NDArray[np.float64]]]
    left_out: Mapping[str, str]


def calibrate(
    classifier: Classifier, finder: Finder, faces: KnownFaces, facts: Mapping[str, Any], bars: Bars
) -> Calibrated:
    """Read the faces exactly as an audit does, and count.

    The confusion counts are of the labels, which no temperature changes. The temperature is fitted on
    all faces, and the confidence is counted as an audit will see it; the reliability after tempering is
    counted on halves, each tempered by what the other half asks for, so that it is not flattered. Of faces
    that stand for different numbers of pictures there are confusion counts only: the others are counts of
    faces as they come, which a stratified draw has bent.

    Parameters
    ----------
    facts
        What else the calibrations say of how the faces were read.

    Raises
    ------
    NotEnoughEvidenceError
        If a value of an attribute has no face with a label.
    """
    read = read_known(classifier, finder, faces, bars)
    counts = {name: _counts(faces, read, (name,), classifier.values) for name in faces.truth}
    for name, table in counts.items():
        for value, row in zip(classifier.values[name], table, strict=True):
            if row.sum() == 0:
                raise NotEnoughEvidenceError(
                    f"no face of {name} {value} with a label is among the {faces.about}: a calibration needs "
                    "some of every value"
                )
    found = {
        name: _calibration(faces, read, name, _written(classifier, (name,), counts[name], facts))
        for name in counts
    }
    left_out = {}
    for names in combinations(faces.truth, 2):
        joint = " x ".join(names)
        if faces.weights is not None and joint not in faces.weights:
            left_out[joint] = "no joint calibration, no pictures were drawn alike for both"
            continue
        table = _counts(faces, read, names, classifier.values)
        empty = int((table.sum(axis=1) == 0).sum())
        if empty:
            left_out[joint] = f"no joint calibration, {empty} of {len(table)} combinations have no face"
        else:
            found[joint] = Calibration(**_written(classifier, names, table, facts), data=faces.about)
    left_out |= {name: STRATIFIED for name in faces.truth if _weighed(faces, name)}
    within = {
        name: {other: _recall_within(faces, read, name, other, classifier.values)
               for other in faces.truth if other != name}
        for name in faces.truth
    }  # fmt: skip
    return Calibrated(found, within, left_out)


def read_known(classifier: Classifier, finder: Finder, faces: KnownFaces, bars: Bars) -> Read:
    """What a classifier says of known faces, by the same path as in an audit."""
    bar = bars.stage("labelling", len(faces.names))
    tables = []
    for images in faces.batches():
        seen = look_at(images, finder, faces.fetch)
        samples = pd.DataFrame({"image": images, "prompt": None, "index": range(len(images))})
        tables.append(label_table(samples, seen, read_faces(classifier, seen, finder), classifier))
        bar.advance(len(images))
    table = pd.concat([part.drop(columns=["prompt", "reason"]) for part in tables], ignore_index=True)
    return Read(
        {
            name: pd.Categorical(table[name], categories=list(classifier.values[name])).codes.astype(np.int64)
            for name in faces.truth
        },
        {
            name: table[[f"{name}.p.{value}" for value in classifier.values[name]]].to_numpy(np.float64)
            for name in faces.truth
        },
        table["outcome"].to_numpy(dtype=np.str_),
    )


def _counts(
    faces: KnownFaces, read: Read, names: Sequence[str], values: Mapping[str, Sequence[str]]
) -> NDArray[np.int64]:
    """Confusion counts of one attribute, or of the combinations of several.

    Faces that stand for different numbers of pictures are weighed, and each row has as many counts as
    its weighed faces are worth (Kish 1965), so that intervals stay honest.
    """
    sizes = [len(values[name]) for name in names]
    truth, said = (_joined([part[name] for name in names], sizes) for part in (faces.truth, read.said))
    k, both = int(np.prod(sizes)), (truth >= 0) & (said >= 0)
    weights = _weights(faces, names)
    cells = truth[both] * k + said[both]
    total, squares = (
        np.bincount(cells, weights[both] ** power, minlength=k * k).reshape(k, k) for power in (1, 2)
    )
    rows = total.sum(axis=1, keepdims=True)
    worth = rows / np.where(rows > 0, squares.sum(axis=1, keepdims=True), 1)
    return np.asarray(np.rint(total * worth), dtype=np.int64)


def _weights(faces: KnownFaces, names: Sequence[str]) -> NDArray[np.float64]:
    """How many pictures each face (n,) stands for where these attributes are counted."""
    return np.ones(len(faces.names)) if faces.weights is None else faces.weights[" x ".join(names)]


def _weighed(faces: KnownFaces, name: str) -> bool:
    """Whether the faces of known value stand for different numbers of pictures."""
    weights = _weights(faces, [name])[faces.truth[name] >= 0]
    return bool(len(weights)) and not np.allclose(weights, weights[0])


def _joined(parts: Sequence[NDArray[np.int64]], sizes: Sequence[int]) -> NDArray[np.int64]:
    """Codes of combinations of values, the last attribute changing fastest; -1 where one is missing."""
    missing = np.any([part < 0 for part in parts], axis=0)
    joined = np.ravel_multi_index([np.maximum(part, 0) for part in parts], sizes)
    return np.asarray(np.where(missing, -1, joined), dtype=np.int64)


def _calibration(faces: KnownFaces, read: Read, name: str, written: Mapping[str, Any]) -> Calibration:
    without, numbers = np.unique(read.outcomes[read.outcomes != LABELLED], return_counts=True)
    outcomes = {str(one): int(number) for one, number in zip(without, numbers, strict=True)}
    if _weighed(faces, name):
        return Calibration(**written, data=faces.about, outcomes=outcomes)
    both = (faces.truth[name] >= 0) & (read.said[name] >= 0)
    truth, given = faces.truth[name][both], read.probabilities[name][both]
    tempered, temperature = cross_tempered(given, truth), fit_temperature(given, truth)
    return Calibration(
        **written,
        data=faces.about,
        temperature=temperature,
        tempered=False,
        confidence=tuple(confidence_histogram(temper(given, temperature), CONFIDENCE_BINS).tolist()),
        outcomes=outcomes,
        reliability=Reliability(
            before=_record(reliability(given, truth)), after=_record(reliability(tempered, truth))
        ),
    )


def _written(
    classifier: Classifier, names: Sequence[str], counts: NDArray[np.int64], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """What every calibration says: whose it is, of what, and its counts."""
    cells = product(*(classifier.values[name] for name in names))
    return {
        "schema": 1,
        "classifier": classifier.name,
        "attribute": " x ".join(names),
        "values": tuple(BETWEEN.join(cell) for cell in cells),
        "confusion": tuple(tuple(row) for row in counts.tolist()),
        **facts,
    }


def _recall_within(
    faces: KnownFaces, read: Read, name: str, other: str, values: Mapping[str, Sequence[str]]
) -> NDArray[np.float64]:
    labelled, weights = read.said[name] >= 0, _weights(faces, [name])
    table = np.full((len(values[name]), len(values[other])), np.nan)
    for row, column in np.ndindex(*table.shape):
        own = labelled & (faces.truth[name] == row) & (faces.truth[other] == column)
        if own.any():
            table[row, column] = np.average(read.said[name][own] == row, weights=weights[own])
    return table


def _record(curve: Curve) -> ReliabilityCurve:
    return ReliabilityCurve(
        faces=tuple(curve.faces.tolist()),
        right=tuple(curve.right.tolist()),
        confidence=tuple(curve.confidence.round(6).tolist()),
        ece=curve.ece,
    )
