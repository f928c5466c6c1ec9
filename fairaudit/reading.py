"""The second stage of a run: labels and features of every image, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.errors import ImageError
from fairaudit.generating import Workplace
from fairaudit.labelling import LABELLED, Classifier, Reading, outcome_of
from fairaudit.models.images import read_image
from fairaudit.store import Unit, pixels

UNREADABLE = "unreadable"
"""Outcome of a file that is no usable picture; it counts among the skipped files, not the images."""


def read_images(
    place: Workplace, classifier: Classifier, units: Sequence[Unit], folder: Path | None = None
) -> None:
    """Label every stored image and extract its features, where that is not done yet."""
    samplers = sorted({path.parent.name for path in (place.run.folder / "samples").glob("*/*.parquet")})
    work = [(sampler, unit) for sampler in samplers for unit in units]
    todo = [(sampler, unit) for sampler, unit in work if not _is_read(place, classifier, sampler, unit)]
    total, left = (sum(len(unit.indices) for _, unit in some) for some in (work, todo))
    labelling = place.bars.stage("labelling", total, total - left)
    features = place.bars.stage("features", total, total - left)
    for sampler, unit in todo:
        samples = place.run.read_samples(sampler, unit)
        pictures = list(_decode(samples, folder))
        usable = [picture for picture in pictures if isinstance(picture, np.ndarray)]
        reading = classifier.read(usable) if usable else None
        place.run.write_table(
            place.run.path("features", classifier.name, sampler, unit.name),
            _features(samples, pictures, reading),
        )
        features.advance(len(pictures))
        place.run.write_table(
            place.run.path("labels", classifier.name, sampler, unit.name),
            _labels(samples, pictures, reading, classifier),
        )
        labelling.advance(len(pictures))


def _is_read(place: Workplace, classifier: Classifier, sampler: str, unit: Unit) -> bool:
    # Labels are written last, so they vouch for the features.
    return place.run.path("labels", classifier.name, sampler, unit.name).exists()


def _decode(samples: pd.DataFrame, folder: Path | None) -> Iterator[NDArray[np.uint8] | ImageError]:
    """Each picture (h, w, 3), or what is wrong with its file."""

    def one(image: dict[str, bytes | str]) -> NDArray[np.uint8] | ImageError:
        if isinstance(encoded := image["bytes"], bytes):
            return pixels(encoded)
        assert folder is not None, "only pictures of a folder are stored as paths"
        try:
            return read_image(folder / str(image["path"]))
        except ImageError as error:
            return error

    with ThreadPoolExecutor() as pool:
        yield from pool.map(one, samples["image"])


def _labels(
    samples: pd.DataFrame,
    pictures: Sequence[NDArray[np.uint8] | ImageError],
    reading: Reading | None,
    classifier: Classifier,
) -> pd.DataFrame:
    """The label table: outcome, and for each attribute its value and probabilities."""
    outcomes = [
        UNREADABLE if isinstance(picture, ImageError) else outcome_of(picture) for picture in pictures
    ]
    table = pd.DataFrame(
        {
            "image": [image["path"] for image in samples["image"]],
            "prompt": samples["prompt"],
            "index": samples["index"],
            "outcome": outcomes,
            "reason": [str(p) if isinstance(p, ImageError) else None for p in pictures],
        }
    )
    labelled = np.array([outcome == LABELLED for outcome in outcomes])
    readable = np.array([outcome != UNREADABLE for outcome in outcomes])
    for name, values in classifier.values.items():
        probabilities = np.full((len(table), len(values)), np.nan, dtype=np.float32)
        if reading is not None:
            probabilities[readable] = reading.probabilities[name]
        probabilities[~labelled] = np.nan
        best = np.where(labelled, np.nan_to_num(probabilities).argmax(1), 0)
        table[name] = [values[code] if ok else None for code, ok in zip(best, labelled, strict=True)]
        for column, value in enumerate(values):
            table[f"{name}.p.{value}"] = probabilities[:, column]
    return table


def _features(
    samples: pd.DataFrame, pictures: Sequence[NDArray[np.uint8] | ImageError], reading: Reading | None
) -> pd.DataFrame:
    """Feature vectors of the readable pictures, by index."""
    readable = [not isinstance(picture, ImageError) for picture in pictures]
    table = samples.loc[readable, ["index", "prompt"]].reset_index(drop=True)
    rows = list(reading.features) if reading is not None else []
    table["feature"] = pd.Series(rows, dtype=object)
    return table
