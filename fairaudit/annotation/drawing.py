"""Which pictures are put before annotators, in which order, and what each of them stands for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal

import pandas as pd

from fairaudit.annotation.answers import Question
from fairaudit.digests import seed_of
from fairaudit.errors import UsageError
from fairaudit.plan import IMAGES, AuditPlan
from fairaudit.reading import UNREADABLE
from fairaudit.store import Run

Draw = Literal["random", "stratified"]
RANDOM = "random"
NO_VALUE = "no label"
"""The stratum of images that the classifier gives no value."""


def draw_questions(
    run: Run, plan: AuditPlan, attributes: Sequence[str], count: int, draw: Draw
) -> list[Question]:
    """The questions of `count` images, spread evenly over the samplers, the same every time.

    Every beginning of a sampler's order is a draw by itself, so that annotators may stop early and a
    larger count goes on where a smaller one ended. Stratified, the classifier's labels of the first
    attribute take turns, and within a label the prompts in proportion to their images. The samplers'
    images follow each other in an order that tells nothing.
    """
    names = [sampler.key for sampler in plan.samplers] or [IMAGES]
    parts = [count // len(names) + (place < count % len(names)) for place in range(len(names))]
    by = attributes[0] if draw == "stratified" else None
    drawn = [
        _of_sampler(run, plan, name, by, part) for name, part in zip(names, parts, strict=True) if part > 0
    ]
    mixed = [
        sorted(
            (one for one in row if one is not None), key=lambda one: seed_of("turn", plan.digest, *one.key)
        )
        for row in zip_longest(*drawn)
    ]
    return [
        Question(one.sampler, one.prompt, one.index, name, one.draw, one.stratum, one.weight)
        for row in mixed
        for one in row
        for name in attributes
    ]


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


def _of_sampler(run: Run, plan: AuditPlan, sampler: str, by: str | None, count: int) -> list[Question]:
    images = pool(run, plan, sampler)
    images = images.assign(prompt=images["prompt"].astype(object).where(images["prompt"].notna(), None))
    draw = draw_name(by)
    chance = [
        seed_of("annotate", plan.digest, sampler, prompt or "", index)
        for prompt, index in zip(images["prompt"], images["index"], strict=True)
    ]
    images = images.assign(stratum=strata_of(images, draw), chance=chance).sort_values("chance")
    if by is not None:
        images = _in_turns(images, plan.digest)
    chosen = images.head(count)
    sizes, taken = images["stratum"].value_counts(), chosen["stratum"].value_counts()
    return [
        Question(sampler, row.prompt, int(row.index_), "", draw, row.stratum,
                 float(sizes[row.stratum] / taken[row.stratum]))
        for row in chosen.rename(columns={"index": "index_"})[["prompt", "index_", "stratum"]].itertuples()
    ]  # fmt: skip


def _in_turns(images: pd.DataFrame, digest: str) -> pd.DataFrame:
    """Strata take turns; within a stratum each prompt is spread evenly, from a start drawn at random.

    So any first part of a stratum holds every prompt's images with the same chance.
    """
    groups = images.groupby(["stratum", images["prompt"].fillna("")], sort=False)
    starts = {key: seed_of("start", digest, *key) / 2**63 for key in groups.groups}
    keys = zip(images["stratum"], images["prompt"].fillna(""), strict=True)
    start = pd.Series([starts[key] for key in keys], index=images.index)
    spread = (groups.cumcount() + start) / groups["index"].transform("size")
    ordered = images.assign(spread=spread).sort_values(["spread", "chance"])
    turn = ordered.groupby("stratum", sort=False).cumcount()
    return ordered.assign(turn=turn).sort_values(["turn", "chance"])
