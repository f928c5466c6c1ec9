"""Train on generated images, test on real ones: what a classifier learns from a sampler's images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit.digests import seed_of
from fairaudit.diversities import most_general
from fairaudit.effects import Downstream, Downstreams
from fairaudit.errors import ImageError, UsageError
from fairaudit.extracting import Extractor, read_features
from fairaudit.known_faces import KnownFaces, open_known_faces
from fairaudit.labelling import Classifier
from fairaudit.metrics.downstream import Features, gaps, predict
from fairaudit.pictures import open_pictures
from fairaudit.pictures.decoding import decode
from fairaudit.plan import AuditPlan
from fairaudit.results import Estimate
from fairaudit.store import Run

KEYS = ["prompt", "index"]
FEWEST = 20
"""Images to learn from and to test on, below which nothing is said."""

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class _Task:
    """One attribute to learn: real images of both halves, with the sensitive attribute's codes."""

    name: str
    values: tuple[str, ...]
    train: Features
    test: Features
    groups: Codes


def open_real(plan: AuditPlan, classifier: Classifier) -> KnownFaces | None:
    """The plan's real pictures, or None where it names none.

    Raises
    ------
    UsageError
        If they do not say the sensitive attribute and another that the classifier reads, too.
    """
    if plan.measurement.downstream is None:
        return None
    known = open_known_faces(Path(plan.measurement.downstream), classifier.values, ())
    sensitive = plan.attributes[0]
    if sensitive not in known.truth or len(known.truth) < 2:
        raise UsageError(
            f"{plan.measurement.downstream} must give the true {sensitive} of its pictures, whose groups are "
            "compared, and another attribute to learn (downstream)"
        )
    return known


def downstreams_of(
    run: Run,
    plan: AuditPlan,
    classifier: Classifier,
    extractors: Sequence[Extractor],
    labels: Mapping[str, pd.DataFrame],
) -> dict[str, Downstreams]:
    """By attribute: what a classifier has learnt of it from every sampler's images, and from real ones.

    It learns every attribute that the classifier reads and the real pictures tell, but for the one whose
    groups are compared, from as many images of every source. Its labels are the classifier's: what that
    gets wrong is learnt, too. Real pictures are halved at random; one half is for tests.
    """
    known = open_real(plan, classifier)
    if known is None:
        return {}
    extractor, sensitive = most_general(extractors), plan.attributes[0]
    tasks = [name for name in known.truth if name != sensitive and name in classifier.values]
    if extractor is None:
        reason = "no network sees the pictures; name one with --extractor, such as builtin:faces64-clip"
        return {name: _nothing(sensitive, list(labels), reason) for name in tasks}
    rows = _real_features(run, plan, known, extractor)
    seed = seed_of("halves", plan.sampling.seed) % 2**32
    features = {name: read_features(run, plan, extractor.name, name) for name in labels}
    found = {}
    for name in tasks:
        task = _task(name, classifier.values[name], rows, (known.truth[name], known.truth[sensitive]), seed)
        learnt = {s: _generated(features[s], labels[s], task) for s in labels}
        found[name] = _measured(plan, task, learnt, f"{extractor.name}, labels of {classifier.name}")
    return found


def _real_features(run: Run, plan: AuditPlan, known: KnownFaces, extractor: Extractor) -> NDArray[np.float64]:
    """Features (n, d) of the real pictures, nan where one cannot be read; kept in the run."""
    digest = str(open_pictures(str(plan.measurement.downstream)).fingerprint()["sha256"])
    path = run.path("downstream", extractor.name, digest)
    if not path.exists():
        places: list[int] = []
        features: list[NDArray[np.float32]] = []
        for batch in range(0, len(known.names), 64):
            seen = {}
            for place, name in enumerate(known.names[batch : batch + 64], batch):
                try:
                    seen[place] = decode(known.fetch(name))
                except ImageError:
                    continue  # a picture that cannot be read teaches and tests nothing
            places += seen
            features += list(extractor.features(list(seen.values()))) if seen else []
        run.write_table(path, pd.DataFrame({"index": places, "feature": pd.Series(features, dtype=object)}))
    table = run.read_stored("downstream", extractor.name, digest)
    if not len(table):
        raise ImageError(f"none of the pictures of {plan.measurement.downstream} can be read")
    stored = np.stack(table["feature"].to_list())
    rows = np.full((len(known.names), stored.shape[1]), np.nan)
    rows[table["index"]] = stored
    return rows


def _task(
    name: str, values: tuple[str, ...], rows: NDArray[np.float64], codes: tuple[Codes, Codes], seed: int
) -> _Task:
    """Parted at random; `codes` are the true values of what is learnt and of the sensitive attribute."""
    truth, groups = codes
    halves = np.random.default_rng(seed).permutation(len(rows))
    usable = (truth >= 0) & (groups >= 0) & np.isfinite(rows).all(axis=1)
    first, second = (half[usable[half]] for half in np.array_split(halves, 2))
    train, test = (Features(rows[half], truth[half]) for half in (first, second))
    return _Task(name, values, train, test, groups[second])


def _generated(features: pd.DataFrame, labels: pd.DataFrame, task: _Task) -> Features:
    """A sampler's labelled images."""
    keyed = [table.assign(prompt=table["prompt"].fillna("")).set_index(KEYS) for table in (features, labels)]
    both = keyed[0][["feature"]].join(keyed[1][task.name].dropna(), how="inner").sort_index()
    rows = np.stack(both["feature"].to_list()) if len(both) else np.zeros((0, task.train.rows.shape[1]))
    codes = pd.Categorical(both[task.name], categories=list(task.values)).codes.astype(np.int64)
    return Features(rows.astype(np.float64), codes)


def _measured(plan: AuditPlan, task: _Task, learnt: Mapping[str, Features], seen: str) -> Downstreams:
    n = min(len(each.labels) for each in (task.train, *learnt.values()))
    chance: dict[str, Any] = {
        "level": plan.measurement.level,
        "replicates": plan.measurement.replicates,
        "seed": seed_of("downstream", plan.sampling.seed, task.name) % 2**32,
    }
    k, sensitive = len(task.values), plan.attributes[0]

    def result(train: Features, source: str) -> Downstream:
        rng = np.random.default_rng(seed_of("taught", plan.sampling.seed, task.name, source) % 2**32)
        drawn = np.sort(rng.permutation(len(train.labels))[:n])
        taught = Features(train.rows[drawn], train.labels[drawn])
        if n < FEWEST or len(task.test.labels) < FEWEST:
            return _none(sensitive, n, len(task.test.labels), seen, f"fewer than {FEWEST} images")
        if len(np.unique(taught.labels)) < 2:
            return _none(sensitive, n, len(task.test.labels), seen, "all images have one label")
        told = gaps(task.test.labels, predict(taught, task.test.rows), task.groups, k, **chance)
        return Downstream(
            features=seen, sensitive=sensitive, train=n, test=len(task.test.labels), **vars(told)
        )  # fmt: skip

    truth = (
        gaps(task.test.labels, task.test.labels, task.groups, k, **chance).demographic_parity
        if len(task.test.labels) >= FEWEST
        else Estimate(value=None, method="true values", reason=f"fewer than {FEWEST} images")
    )
    samplers = {name: result(train, name) for name, train in learnt.items()}
    return Downstreams(samplers=samplers, real=result(task.train, "real images"), truth=truth)


def _none(sensitive: str, train: int, test: int, seen: str, reason: str) -> Downstream:
    nothing = Estimate(value=None, method="downstream", reason=reason)
    return Downstream(
        features=seen,
        sensitive=sensitive,
        train=train,
        test=test,
        accuracy=nothing,
        demographic_parity=nothing,
        equalised_odds=nothing,
    )


def _nothing(sensitive: str, samplers: Sequence[str], reason: str) -> Downstreams:
    none = _none(sensitive, 0, 0, "", reason)
    return Downstreams(samplers=dict.fromkeys(samplers, none), real=none, truth=none.accuracy)
