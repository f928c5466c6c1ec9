"""Quality of two finished runs, pair by pair, from the features that both have stored."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from fairaudit.digests import seed_of
from fairaudit.errors import FairauditError
from fairaudit.opened import Opened
from fairaudit.pairing import Pairs, compare_quality
from fairaudit.quality_networks import Network, networks_of
from fairaudit.real import Real
from fairaudit.references import NO_REFERENCE, OWN, PICTURES, Against, Statistics, Stored
from fairaudit.results import Comparison
from fairaudit.sources import open_model
from fairaudit.statistics_files import load_moments
from fairaudit.store import Run


class PairedRuns:
    """Two runs that share their noise; `notes` say what has no pairs, and why.

    Parameters
    ----------
    level
        Intervals cover 1 - level.
    """

    def __init__(self, first: Opened, second: Opened, level: float) -> None:
        self.first, self.second, self.level = first, second, level
        self.notes: list[str] = []
        self._against: Against | None = None
        if not self._networks():
            return
        try:
            self._against = _same_reference(first, second)
        except FairauditError as error:
            self.notes.append(f"Quality is compared by intervals only: {error}.")

    def of(self, one: str, other: str) -> Iterator[Comparison]:
        """What can be compared of a sampler of the first run and one of the second, second minus first."""
        a, b = self.second.key(other), self.first.key(one)
        for network in self._networks() if self._against is not None else ():
            assert self._against is not None
            features = [
                _features(run, network, name) for run, name in ((self.second, other), (self.first, one))
            ]
            if any(table is None for table in features):
                continue
            pairs = Pairs.of(a, b, *(table for table in features if table is not None))
            yield from compare_quality(
                network,
                pairs,
                self._against.of(network.stored, other),
                level=self.level,
                seed=lambda key: seed_of("pairs of runs", one, other, key) % 2**32,
            )

    def _networks(self) -> list[Network]:
        """Those that saw the pictures of both runs, with the same weights."""
        both = [
            {network for found in run.samplers.values() for network in networks_of(run.plan, found.quality)}
            for run in (self.first, self.second)
        ]
        common = sorted(both[0] & both[1], key=lambda network: network.stored)
        return [network for network in common if _same_eyes(self.first, self.second, network)]


def _same_eyes(first: Opened, second: Opened, network: Network) -> bool:
    """Whether a network's features mean the same in both runs."""
    weights = [
        {
            file: digest
            for file, digest in run.manifest.get("classifier", {}).items()
            if network.kind is None or file.startswith(f"features of {network.name}: ")
        }
        for run in (first, second)
    ]
    faces = [(run.plan.faces, run.plan.detector) for run in (first, second)]
    return weights[0] == weights[1] and (network.kind is not None or faces[0] == faces[1])


def _features(run: Opened, network: Network, sampler: str) -> pd.DataFrame | None:
    if not run.run.stored("features", network.stored, sampler):
        return None
    return run.run.read_all("features", network.stored, sampler)


def _same_reference(first: Opened, second: Opened) -> Against:
    """What both runs were measured against.

    Raises
    ------
    FairauditError
        If that is not the same, or no longer there.
    """
    named = [run.plan.measurement.reference for run in (first, second)]
    folders = [{path.name for path in run.run.folder.glob("reference/*")} for run in (first, second)]
    if common := folders[0] & folders[1]:
        pictures = Run(second.run.folder / "reference" / min(common))
        return Stored(pictures, PICTURES, lambda _: pd.DataFrame())
    if any(folders) or named[0] != named[1]:
        raise FairauditError("the runs were measured against different real images")
    reference = named[0]
    if reference is None:
        return _of_generators(first, second)
    raise FairauditError(f"what {reference} was to either run is not kept in them")


def _of_generators(first: Opened, second: Opened) -> Against:
    """Statistics that come with a built-in generator, of its classifier's features."""
    own = {open_model(run.plan.generator).reference for run in (first, second) if run.plan.prompts}
    path = own.pop() if len(own) == 1 else None
    if path is None or not path.exists():
        return Statistics({}, NO_REFERENCE)
    return Statistics({OWN[0]: Real(moments=load_moments(path))}, NO_REFERENCE)
