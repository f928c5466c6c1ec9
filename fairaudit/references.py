"""What a run's pictures are measured against: real pictures, statistics of them, or another sampler.

``--reference`` takes a folder, archive, Parquet file or run (pictures); ``FILE.npz`` with `mu` and `sigma`,
or safetensors as `save_moments` writes them (statistics); ``cleanfid:NAME/RESOLUTION/SPLIT``, statistics
that clean-fid knows by name; ``sampler:NAME``, another sampler of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from fairaudit.errors import unknown
from fairaudit.extracting import Extractor, extract_features
from fairaudit.gathering import Given
from fairaudit.generating import Workplace
from fairaudit.pictures import Collection, open_pictures
from fairaudit.plan import AuditPlan
from fairaudit.reading import Eyes, read_images
from fairaudit.real import Real
from fairaudit.statistics_files import (
    CLEANFID,
    cleanfid_statistics,
    is_statistics,
    load_moments,
    read_statistics,
)
from fairaudit.store import Run

if TYPE_CHECKING:
    import pandas as pd

SAMPLER = "sampler:"
PICTURES = "real"
"""What the pictures of a reference are stored as, in a run of their own in the run."""
NO_REFERENCE = "no real images to compare with; name a folder of them with --reference"
NO_STATISTICS = "the reference is statistics of other features than these"
POOLED = "the reference is statistics of all real images together, which do not tell values apart"
ITSELF = "these images are the reference"
OWN = ("builtin:faces64-classifier", "whole-image")
"""Who saw the real images that come with a generator, and how."""


class Against(Protocol):
    """What quality is measured against, by the network that saw it."""

    def of(self, network: str, sampler: str) -> Real:
        """All of it, for the images of a sampler."""

    def of_value(self, network: str, sampler: str, attribute: str, value: str) -> Real:
        """Those pictures of it in which the classifier reads a value."""


@dataclass(frozen=True)
class Statistics:
    """Statistics by network; for other networks, the reason why there are none."""

    by_network: Mapping[str, Real]
    reason: str

    def of(self, network: str, sampler: str) -> Real:
        """Of a network's features."""
        return self.by_network.get(network, Real(reason=self.reason))

    def of_value(self, network: str, sampler: str, attribute: str, value: str) -> Real:
        """Nothing: values are not told apart in them."""
        return Real(reason=POOLED if network in self.by_network else self.reason)


class Stored:
    """Pictures of a run: of another sampler, or real ones that were read like the run's own.

    Parameters
    ----------
    labels
        What the classifier reads in them, as `Measurement.seen` gives it for an attribute.
    """

    def __init__(self, run: Run, sampler: str, labels: Callable[[str], pd.DataFrame]) -> None:
        self.run, self.sampler, self._labels = run, sampler, labels
        self._known: dict[tuple[str, ...], Real] = {}

    def of(self, network: str, sampler: str) -> Real:
        """Features of all its pictures."""
        if sampler == self.sampler:
            return Real(reason=ITSELF)
        key = (network,)
        if key not in self._known:
            self._known[key] = _real(self.run.read_all("features", network, self.sampler))
        return self._known[key]

    def of_value(self, network: str, sampler: str, attribute: str, value: str) -> Real:
        """Features of the pictures that are labelled so."""
        if sampler == self.sampler:
            return Real(reason=ITSELF)
        key = (network, attribute, value)
        if key not in self._known:
            features = self.run.read_all("features", network, self.sampler)
            self._known[key] = _real(of_label(features, self._labels(attribute), attribute, value))
        return self._known[key]


def of_label(features: pd.DataFrame, labels: pd.DataFrame, attribute: str, value: str) -> pd.DataFrame:
    """The rows of features whose picture has a label."""
    wanted = labels.loc[labels[attribute] == value, ["prompt", "index"]]
    keys = set(zip(wanted["prompt"].fillna(""), wanted["index"], strict=True))
    own = zip(features["prompt"].fillna(""), features["index"], strict=True)
    return features[[key in keys for key in own]]


def _real(table: pd.DataFrame) -> Real:
    if len(table) == 0:
        return Real(reason="the reference holds no such picture")
    return Real(features=np.stack(table["feature"].to_list()).astype(np.float64))


@dataclass(frozen=True)
class Named:
    """A reference as it is named, opened and checked.

    Attributes
    ----------
    pictures
        Where it is pictures.
    sampler
        Where it is another sampler of the run.
    statistics
        Where it is statistics, by extractor.
    """

    pictures: Collection | None = None
    sampler: str | None = None
    statistics: Mapping[str, Real] | None = None


def open_reference(plan: AuditPlan, extractors: Sequence[Extractor], samplers: Sequence[str]) -> Named:
    """What the plan names, before anything is made.

    Parameters
    ----------
    samplers
        Those of the run.

    Raises
    ------
    UsageError
        If it is not there, or is of no use to any extractor.
    """
    named = plan.measurement.reference
    if named is None:
        return Named()
    if named.startswith(SAMPLER):
        name = named.removeprefix(SAMPLER)
        if name not in samplers:
            raise unknown("sampler", name, samplers)
        return Named(sampler=name)
    if named.startswith(CLEANFID):
        return Named(statistics=cleanfid_statistics(named.removeprefix(CLEANFID), extractors))
    if is_statistics(named):
        return Named(statistics=read_statistics(Path(named), extractors))
    return Named(pictures=open_pictures(named))


def read_reference(
    place: Workplace,
    eyes: Eyes,
    named: Named,
    own: Path | None,
    labels: Callable[[pd.DataFrame, str], pd.DataFrame],
) -> Against:
    """The reference with labels and features, which are stored in the run as those of its own pictures are.

    Parameters
    ----------
    own
        Statistics of the classifier's features that come with the generator, for where none is named.
    labels
        Labels as they count, from a stored table of them and an attribute.
    """
    classifier = eyes.classifiers[0]

    def stored(run: Run, sampler: str) -> Stored:
        table = run.read_all("labels", classifier.name, sampler)
        return Stored(run, sampler, lambda attribute: labels(table, attribute))

    if named.sampler is not None:
        return stored(place.run, named.sampler)
    if named.statistics is not None:
        return Statistics(named.statistics, NO_STATISTICS)
    if named.pictures is not None:
        digest = str(named.pictures.fingerprint()["sha256"])[:16]
        run = Run(place.run.folder / "reference" / digest)
        given = Given({PICTURES: named.pictures})
        there = Workplace(run, place.plan, place.bars)
        read_images(there, Eyes([classifier], eyes.finder), given.gather(run), given.fetches)
        extract_features(there, eyes.extractors, [PICTURES], given.fetches)
        return stored(run, PICTURES)
    if own is not None and own.exists() and (classifier.name, place.plan.faces) == OWN:
        return Statistics({classifier.name: Real(moments=load_moments(own))}, NO_REFERENCE)
    return Statistics({}, NO_REFERENCE)
