"""The images without a label: how many, why, and under which prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fairaudit.reports.cells import by_sampler, heading, sampler_cells, sampler_columns
from fairaudit.reports.model import Cell, Chapter, Column, Fold, Table, Topic
from fairaudit.reports.names import outcome_title
from fairaudit.reports.numbers import count, listing, percent, shorten

from fairaudit.labelling import LABELLED, UNSURE
from fairaudit.results import AttributeResult, Results

ROWS_IN_SIGHT = 24

_COUNTED = (
    "They have no part in the shares. The worst case beside a share says what it would be if every one of "
    "them had another value, and if every one had this value."
)


@dataclass(frozen=True)
class _Images:
    """The images of one prompt and sampler, and how many of them had each outcome but a label."""

    prompt: str
    sampler: str
    n: int
    kinds: Mapping[str, int]


def unjudged(results: Results) -> Chapter | None:
    """The chapter, or None where every image has every label."""
    found = list(_images(results))
    kinds = list(dict.fromkeys(kind for images in found for kind, number in images.kinds.items() if number))
    if not kinds:
        return None
    rows = [images for images in found if any(images.kinds.values())]
    table = _table(results, rows, kinds)
    folded = (Fold(table.caption, (table,)),) if len(rows) > ROWS_IN_SIGHT else ()
    sentences = (_total(found, kinds), _COUNTED, *_uneven(found, kinds))
    topic = Topic("", (), tables=() if folded else (table,), folds=folded)
    return Chapter("unjudged", "What could not be judged", "Not judged", sentences, (topic,))


def _images(results: Results) -> Iterator[_Images]:
    for name, sampler in results.samplers.items():
        parts = [(prompt, result.attributes) for prompt, result in sampler.prompts.items()]
        for prompt, attributes in parts or [("", sampler.attributes)]:
            if attributes:
                n = max(result.n for result in attributes.values())
                yield _Images(prompt, name, n, dict(_kinds(attributes)))


def _kinds(attributes: Mapping[str, AttributeResult]) -> Iterator[tuple[str, int]]:
    """What is said of the picture is the same for every attribute; each is unsure for itself."""
    for kind, number in next(iter(attributes.values())).outcomes.items():
        if kind not in (LABELLED, UNSURE):
            yield outcome_title(kind), number
    for attribute, result in attributes.items():
        yield f"{outcome_title(UNSURE)} of {attribute}", result.outcomes.get(UNSURE, 0)


def _table(results: Results, rows: list[_Images], kinds: list[str]) -> Table:
    prompted = any(images.prompt for images in rows)
    columns = (
        *((Column("Prompt", numeric=False),) if prompted else (Column("Images", numeric=False),)),
        *sampler_columns(results),
        Column("n"),
        *(Column(kind) for kind in kinds),
    )
    cells = tuple(
        (
            heading(images.prompt) if prompted else Cell("all"),
            *sampler_cells(results, images.sampler),
            Cell(f"{images.n:,}", sort=images.n),
            *(_cell(images.kinds.get(kind, 0), images.n) for kind in kinds),
        )
        for images in rows
    )
    by_prompt = " by prompt" if prompted else ""
    return Table("unjudged", f"Images without a label{by_prompt or by_sampler(results)}", columns, cells)


def _cell(number: int, n: int) -> Cell:
    return Cell(f"{number:,}", (percent(number / n),) if number else (), number / n if n else 0.0)


def _total(found: list[_Images], kinds: list[str]) -> str:
    n = sum(images.n for images in found)
    counted = [f"{sum(images.kinds.get(kind, 0) for images in found):,} {kind}" for kind in kinds]
    return f"Of {count(n, 'image')}, these have no label: {listing(counted)}."


def _uneven(found: list[_Images], kinds: list[str]) -> Iterator[str]:
    """Where prompts differ, in each kind."""
    prompts = list(dict.fromkeys(images.prompt for images in found if images.n))
    if len(prompts) < 2:
        return
    said = []
    for kind in kinds:
        rates = {}
        for prompt in prompts:
            mine = [images for images in found if images.prompt == prompt]
            rates[prompt] = sum(i.kinds.get(kind, 0) for i in mine) / sum(i.n for i in mine)
        least, most = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
        if rates[most] > rates[least]:
            said.append(
                f"{kind}: from {percent(rates[least])} under “{shorten(least, 60)}” "
                f"to {percent(rates[most])} under “{shorten(most, 60)}”"
            )
    if said:
        yield f"Prompts differ in this: {'; '.join(said)}."
        yield (
            "A filter that blocks one group's pictures more often, or a detector that misses its faces, is a "
            "disparity of its own, which no share shows."
        )
