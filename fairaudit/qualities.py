"""How far a run's images are from real ones: stored features to distances, of all images and by value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.digests import seed_of
from fairaudit.extracting import Extractor, stored_as
from fairaudit.families import adjusted
from fairaudit.fetching import find_asset
from fairaudit.labelling import Classifier
from fairaudit.measurement import Measurement
from fairaudit.metrics.extrapolation import frechet_at_infinity
from fairaudit.metrics.gaps import gap_of
from fairaudit.metrics.kernels import cmmd, kid
from fairaudit.metrics.neighbours import NAMES, neighbourhoods
from fairaudit.metrics.quality import frechet_interval
from fairaudit.pairing import Pairs, compare_quality
from fairaudit.quality_networks import Network
from fairaudit.real import Real
from fairaudit.references import Against, of_label
from fairaudit.results import Comparison, Estimate, ValueQuality
from fairaudit.store import Run

Array = NDArray[np.float64]

NO_INCEPTION = "the Inception weights are not on this machine; get them with `fairaudit fetch inception`"
NOT_ASKED = "Inception's features were not asked for; name them with --extractor inception"
NO_IMAGES = "no image with these features"
NOTHING = np.empty((0, 0))
STATISTICS_ONLY = "only statistics of the real images are known; this takes their features"


class Qualities:
    """The measures of quality of a run.

    Parameters
    ----------
    labels
        By sampler, of the classifier.
    """

    def __init__(
        self,
        run: Run,
        measurement: Measurement,
        classifier: Classifier,
        extractors: Sequence[Extractor],
        *,
        against: Against,
        labels: Mapping[str, pd.DataFrame],
    ) -> None:
        self.run, self.measurement, self.against, self.labels = run, measurement, against, labels
        self.networks = [
            Network(classifier.name, None, classifier.name),
            *(Network(one.name, one.kind, stored_as(measurement.plan, one.name)) for one in extractors),
        ]

    def of(self, sampler: str) -> dict[str, Estimate]:
        """By key: distances, precision and recall of a sampler's images."""
        found: dict[str, Estimate] = {}
        for network in self.networks:
            real = self.against.of(network.stored, sampler)
            vectors = self._features(network, sampler) if real.reason is None else NOTHING
            found |= {
                key: self._named(network, one) for key, one in self._all(network, sampler, vectors, real)
            }
        if "fid" not in found:
            reason = NO_INCEPTION if find_asset("inception") is None else NOT_ASKED
            found["fid"] = Estimate(value=None, method="FID", reason=reason)
        return found

    def by_value(self, sampler: str) -> dict[str, dict[str, ValueQuality]]:
        """By attribute and key: distances of the images of each value to real ones of the same value.

        A distance that is biased at n images is taken of as many images of every value, and as many
        real ones: else the value with the fewest images would look worst. Intervals carry the sampling
        error of the real images, which are others for every value.
        """
        plan = self.measurement.plan
        return {
            attribute: {
                key: self._of_values(network, sampler, attribute, key)
                for network in self.networks
                for key in ((network.frechet,) if network.kind is None else (network.frechet, network.kernel))
            }
            for attribute in plan.attributes
        }

    def comparisons(self) -> list[Comparison]:
        """Every sampler against the baseline on the same noise; tests adjusted over all.

        Pictures that the plan compares with were not made from that noise, and have only their intervals.
        """
        plan, baseline = self.measurement.plan, self.measurement.plan.reference_sampler
        others = [one.key for one in plan.samplers if one.key != baseline]
        if baseline is None:
            return []
        return adjusted(
            [
                found
                for network in self.networks
                for name in others
                for found in self._compare(network, name, baseline)
            ]
        )

    def _compare(self, network: Network, a: str, b: str) -> Iterator[Comparison]:
        if self.against.of(network.stored, b).reason is not None:
            return
        pairs = Pairs.of(a, b, self._table(network, a), self._table(network, b))
        yield from compare_quality(
            network,
            pairs,
            self.against.of(network.stored, a),
            level=self.measurement.plan.measurement.level,
            seed=lambda key: self._seed("pairs", a, b, key),
        )

    def _of_values(self, network: Network, sampler: str, attribute: str, key: str) -> ValueQuality:
        values = self.measurement.plan.attribute(attribute).values
        labels = self.measurement.seen(self.labels[sampler], attribute)
        real = {value: self.against.of_value(network.stored, sampler, attribute, value) for value in values}
        known = any(one.reason is None for one in real.values())
        table = self._table(network, sampler) if known else self._keys(network, sampler)
        own = {value: _vectors(of_label(table, labels, attribute, value)) for value in values}
        there = {value: len(vectors) for value, vectors in own.items()}
        biased = key != network.kernel or network.kind == "clip"
        if biased and all(one.features is not None for one in real.values()):
            rng = np.random.default_rng(self._seed(sampler, attribute, key))
            n, m = min(there.values()), min(len(one.features) for one in real.values())  # type: ignore[arg-type]
            own = {value: _some(vectors, n, rng) for value, vectors in own.items()}
            real = {v: Real(features=_some(one.features, m, rng)) for v, one in real.items()}  # type: ignore[arg-type]
        found = {
            value: self._named(network, self._one(network, sampler, key, own[value], real[value], apart=True))
            for value in values
        }
        fewest, images = min(values, key=lambda value: there[value]), {v: len(own[v]) for v in values}
        for value in (value for value in values if images[value] < there[value] and found[value].reason):
            reason = f"compared at as many images as of {fewest}: {found[value].reason}"
            found[value] = found[value].model_copy(update={"reason": reason})
        gap, between = gap_of(found, self.measurement.plan.measurement.level)
        return ValueQuality(values=found, images=images, gap=gap, between=between)

    def _all(self, network: Network, sampler: str, vectors: Array, real: Real) -> list[tuple[str, Estimate]]:
        if network.kind is None:
            return [(network.frechet, self._one(network, sampler, network.frechet, vectors, real))]
        keys = (network.frechet, network.kernel, network.infinity)
        found = [(key, self._one(network, sampler, key, vectors, real)) for key in keys]
        reason = _missing(vectors, real) or (STATISTICS_ONLY if real.features is None else None)
        if reason is None:
            near = neighbourhoods(vectors, real.manifold, self.measurement.plan.measurement.level)
        else:
            near = {name: Estimate(value=None, method=name, reason=reason) for name in NAMES}
        return [*found, *((f"{name}:{network.name}", one) for name, one in near.items())]

    def _one(
        self, network: Network, sampler: str, key: str, vectors: Array, real: Real, *, apart: bool = False
    ) -> Estimate:
        """A Frechet or kernel distance; `apart` where the next one is to real images of its own."""
        name = network.title
        level = self.measurement.plan.measurement.level
        reason = _missing(vectors, real)
        if key == network.kernel:
            reason = reason or (STATISTICS_ONLY if real.features is None else None)
            if reason is None:
                return (
                    cmmd(vectors, real.gaussian, level)
                    if network.kind == "clip"
                    else kid(vectors, real.cubic, level)
                )
        if reason is not None:
            return Estimate(value=None, method=name, reason=reason)
        chance: dict[str, Any] = {"seed": self._seed(sampler, key), "level": level, "name": name}
        if key == network.infinity:
            return frechet_at_infinity(vectors, real.reference, **chance)
        return frechet_interval(vectors, real.reference, real=real.features if apart else None, **chance)

    def _seed(self, *parts: str) -> int:
        return seed_of("quality", self.measurement.plan.sampling.seed, *parts) % 2**32

    def _table(self, network: Network, sampler: str) -> pd.DataFrame:
        return self.run.read_all("features", network.stored, sampler)

    def _keys(self, network: Network, sampler: str) -> pd.DataFrame:
        """The same without the features themselves, where there is nothing to hold them against."""
        return self.run.read_columns("features", ["prompt", "index"], network.stored, sampler)

    def _features(self, network: Network, sampler: str) -> Array:
        return _vectors(self._table(network, sampler))

    @staticmethod
    def _named(network: Network, estimate: Estimate) -> Estimate:
        """With the network in its method."""
        return estimate.model_copy(update={"method": f"{estimate.method}; features of {network.name}"})


def _missing(vectors: Array, real: Real) -> str | None:
    """Why there is nothing to compare, if there is nothing."""
    if real.reason is not None:
        return real.reason
    if len(vectors) == 0:
        return NO_IMAGES
    if real.dimensions != vectors.shape[1]:
        return f"the reference has {real.dimensions} features, and these images {vectors.shape[1]}"
    return None


def _vectors(table: pd.DataFrame) -> Array:
    if len(table) == 0 or "feature" not in table:
        return np.empty((len(table), 0))
    return np.stack(table["feature"].to_list()).astype(np.float64)


def _some(vectors: Array, n: int, rng: np.random.Generator) -> Array:
    """Rows (n, d) drawn without replacement."""
    return vectors if len(vectors) == n else vectors[np.sort(rng.permutation(len(vectors))[:n])]
