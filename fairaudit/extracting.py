"""Features of whole pictures: the contract of what extracts them, and the stage of a run that stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairaudit import registry
from fairaudit.ahead import Fetch, look_ahead, picture_of
from fairaudit.errors import ImageError
from fairaudit.generating import Workplace
from fairaudit.plan import AuditPlan
from fairaudit.store import Run

if TYPE_CHECKING:
    import torch

Kind = Literal["inception", "clip", "self-supervised"]
"""What the network was trained for: it says which published metrics its features are those of."""


class Extractor(Protocol):
    """Pictures to feature vectors.

    Attributes
    ----------
    name
        What its features are stored under.
    """

    name: str
    kind: Kind

    def features(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Features (n, d) of whole pictures (h, w, 3); none depends on what else is in the list."""

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights, by file name."""


@runtime_checkable
class TextExtractor(Extractor, Protocol):
    """One that has texts and pictures in the same space."""

    def text_features(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features (m, d) of texts, of length 1 as those of pictures are."""

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """The words of texts that it has learnt nothing of, so that such texts say nothing."""


@dataclass(frozen=True)
class ExtractorRequest:
    """What an extractor is made from; what is registered under its name takes this.

    Parameters
    ----------
    argument
        What follows the registered name: `ViT-B-32/openai` of `clip:ViT-B-32/openai`.
    weights
        File of weights that the user brings.
    """

    device: torch.device
    argument: str = ""
    weights: Path | None = None


@lru_cache(maxsize=4)
def open_extractor(name: str, device: torch.device, weights: Path | None = None) -> Extractor:
    """An extractor by its name on the command line, loaded.

    Raises
    ------
    UsageError
        If there is none of that name, or its weights are missing or do not fit.
    """
    make, argument = registry.resolve("extractors", name)
    made: Extractor = make(ExtractorRequest(device, argument, weights))
    return made


def open_extractors(plan: AuditPlan, device: torch.device) -> list[Extractor]:
    """The extractors of a plan."""
    files = plan.weights
    return [
        open_extractor(name, device, Path(files[name]) if name in files else None) for name in plan.extractors
    ]


def stored_as(plan: AuditPlan, extractor: str) -> str:
    """What an extractor's features lie under; a classifier of its name keeps those of the faces there."""
    classifiers = (plan.classifier, *plan.second_opinions)
    return f"{extractor}:pictures" if extractor in classifiers else extractor


def read_features(run: Run, plan: AuditPlan, extractor: str, sampler: str) -> pd.DataFrame:
    """The stored features of a sampler's pictures: columns index, prompt, and feature (d,)."""
    return run.read_all("features", stored_as(plan, extractor), sampler)


def extract_features(
    place: Workplace,
    extractors: Sequence[Extractor],
    samplers: Sequence[str],
    fetches: Mapping[str, Fetch] | None = None,
) -> None:
    """Store the features of all stored pictures, where that is not done yet; each is decoded once for all.

    A picture that cannot be read has none.

    Parameters
    ----------
    fetches
        By sampler: where the pictures are that the run holds only the names of.
    """
    run, names = place.run, {one.name: stored_as(place.plan, one.name) for one in extractors}
    work = [(sampler, stem) for sampler in samplers for stem in run.stored("samples", sampler)]
    todo = [one for one in work if _missing(run, names, *one)]
    total, left = (sum(run.rows("samples", *one) for one in some) for some in (work, todo))
    if not extractors or not total:
        return
    bar = place.bars.stage("extracting", total, total - left)
    pictures = look_ahead(
        todo,
        lambda one: run.read_stored("samples", *one),
        lambda one, image: _decoded(image, (fetches or {}).get(one[0])),
    )
    for (sampler, stem), samples, decoded in pictures:
        images = [picture for picture in decoded if picture is not None]
        readable = [picture is not None for picture in decoded]
        keys = samples.loc[readable, ["index", "prompt"]].reset_index(drop=True)
        missing = _missing(run, names, sampler, stem)
        for extractor in (one for one in extractors if one.name in missing):
            features = list(extractor.features(images)) if images else []
            table = keys.assign(feature=pd.Series(features, dtype=object))
            run.write_table(run.path("features", names[extractor.name], sampler, stem), table)
        bar.advance(run.rows("samples", sampler, stem))


def _missing(run: Run, names: Mapping[str, str], sampler: str, stem: str) -> list[str]:
    """The extractors that have not seen a unit, of those in `names`, which says where their features lie."""
    return [name for name, own in names.items() if not run.path("features", own, sampler, stem).exists()]


def _decoded(image: Mapping[str, Any], fetch: Fetch | None) -> NDArray[np.uint8] | None:
    try:
        return picture_of(image, fetch)
    except ImageError:
        return None  # named where it is labelled
