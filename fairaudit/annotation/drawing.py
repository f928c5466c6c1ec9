"""Which pictures are put before annotators, in which order, and what each of them stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Literal

import numpy as np
import pandas as pd

from fairaudit.annotation.answers import Question
from fairaudit.digests import seed_of
from fairaudit.errors import UsageError
from fairaudit.plan import AuditPlan
from fairaudit.reading import UNREADABLE
from fairaudit.store import Run

Draw = Literal["random", "stratified"]
RANDOM = "random"
NO_VALUE = "no label"
"""The stratum of images that the classifier gives no value."""


def draw_questions(
    run: Run, plan: AuditPlan, samplers: Sequence[str], attributes: Sequence[str], *, count: int, draw: Draw
) -> list[Question]:
    """The questions about `count` images, spread evenly over the samplers, the same every time.

    Every beginning of a sampler's order is a draw by itself, so that annotators may stop early and a
    larger count goes on where a smaller one ended. Stratified, the classifier's labels of the first
    attribute take turns, and within a label the prompts in proportion to their images. The samplers'
    images follow each other in an order that tells nothing.
    """
    parts = [count // len(samplers) + (place < count % len(samplers)) for place in range(len(samplers))]
    by = attributes[0] if draw == "stratified" else None
    drawn = [
        _of_sampler(run, plan, name, by, part) for name, part in zip(samplers, parts, strict=True) if part > 0
    ]
    mixed = [
        sorted(
            (one for one in row if one is not None), key=lambda one: seed_of("turn", plan.digest, *one.key)
        )
        for row in zip_longest(*drawn)
    ]
    return [replace(one, attribute=name) for row in mixed for one in row for name in attributes]


def draw_name(by: str | None) -> str:
    """What a draw is called in the answers."""
    return RANDOM if by is None else f"stratified by {by}"


def pool(run: Run, plan: AuditPlan, sampler: str) -> pd.DataFrame:
    """Prompt, index and labels of the images that can be looked at."""
    labels = run.read_all("labels", plan.classifier, sampler)
    return labels[labels["outcome"] != UNREADABLE]


def strata_of(labels: pd.DataFrame, draw: str) -> pd.Series[str]:
    """The stratum of every image, as the name of a draw says.

    Raises
    ------
    UsageError
        If the draw hangs on something that the labels do not have.
    """
    if draw == RANDOM:
        return pd.Series("", index=labels.index)
    by = draw.removeprefix("stratified by ")
    if by == draw or by not in labels:
        raise UsageError(f"the annotations were drawn {draw!r}, which these labels do not allow")
    return labels[by].fillna(NO_VALUE).astype(str)


def in_order(labels: pd.DataFrame, digest: str, sampler: str, draw: str) -> pd.DataFrame:
    """A sampler's images in the order in which they are put before annotators, each with its stratum."""
    prompts = [prompt if isinstance(prompt, str) else None for prompt in labels["prompt"]]
    chance = [
        seed_of("annotate", digest, sampler, prompt or "", index)
        for prompt, index in zip(prompts, labels["index"], strict=True)
    ]
    images = labels.assign(prompt=pd.Series(prompts, index=labels.index, dtype=object), chance=chance)
    images = images.assign(stratum=strata_of(images, draw)).sort_values("chance")
    return images if draw == RANDOM else _in_turns(images, digest)


def _of_sampler(run: Run, plan: AuditPlan, sampler: str, by: str | None, count: int) -> list[Question]:
    draw = draw_name(by)
    images = in_order(pool(run, plan, sampler), plan.digest, sampler, draw)
    chosen = images.head(count)
    sizes, taken = images["stratum"].value_counts(), chosen["stratum"].value_counts()
    return [
        Question(sampler, prompt, int(index), "", draw, str(stratum), float(sizes[stratum] / taken[stratum]))
        for prompt, index, stratum in zip(chosen["prompt"], chosen["index"], chosen["stratum"], strict=True)
    ]


def _in_turns(images: pd.DataFrame, digest: str) -> pd.DataFrame:
    """Strata take turns; within a stratum each prompt is spread evenly, from a start drawn at random.

    So any first part of a stratum holds every prompt's images with the same chance.
    """
    prompts = images["prompt"].fillna("")
    groups = images.groupby(["stratum", prompts], sort=False)
    keys = zip(images["stratum"], prompts, strict=True)
    start = np.array([seed_of("start", digest, stratum, prompt) / 2**63 for stratum, prompt in keys])
    spread = (groups.cumcount() + start) / groups["index"].transform("size")
    ordered = images.assign(spread=spread).sort_values(["spread", "chance"])
    turn = ordered.groupby("stratum", sort=False).cumcount()
    return ordered.assign(turn=turn).sort_values(["turn", "chance"])
