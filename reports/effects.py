"""What debiasing keeps, what it changes besides, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fairaudit.reports.advice import seconds
from fairaudit.reports.cells import (
    Notes,
    by_sampler,
    estimate_cell,
    heading,
    methods_of,
    percent_cell,
    points_cell,
    sampler_column,
)
from fairaudit.reports.model import Cell, Chapter, Column, Table, Topic
from fairaudit.reports.names import metric_direction, metric_title
from fairaudit.reports.numbers import fixed, known, listing, shorten

from fairaudit.effects import Diversity, Downstreams
from fairaudit.results import Cost, Estimate, Results

PICTURES = ("feature_cosine", "pixel_mse", "clip_i", "dino", "paired_lpips")
"""What compares two pictures, and not what is read in them."""
COMPARED = "the other samplers' pictures are compared with this sampler's"

_KEPT = (
    "Every picture is held against the baseline's of the same noise. How far it may change is for the reader "
    "to say: a picture of another person is no fault, a nurse who is no nurse any more is one."
)
_FLIPS = (
    "Each cell is the fraction of pictures in which an attribute that nobody debiased is read as another "
    "value than on the same noise under the baseline. Where perceived {debiased} changed, another face may "
    "well be read differently in other ways, too; where it did not, nothing should have. A classifier "
    "that wavers flips labels as well, so the number is an upper end of what the sampler did."
)
_DIVERSITY = (
    "The Vendi score is an effective number of different pictures among those of one value: 1 where all are "
    "alike. It grows with their number, so every sampler is measured on as many pictures (n). Samplers whose "
    "pictures of a value come from other prompts differ in that, too."
)
_LEARNT = (
    "A logistic regression learns perceived {task} from the pictures of a sampler and is tested on real ones "
    "whose {task} is known. It learns the classifier's labels, with its errors; from real pictures it learns "
    "the truth. The differences compare the predictions for the values of {sensitive}, as fairlearn defines "
    "them; chance alone makes them positive, and a classifier without any error has the difference of the "
    "true values below: groups may differ."
)


def effects(results: Results) -> Chapter | None:
    """Utility, collateral change, diversity, downstream use, cost; None where nothing of it was measured."""
    topics = (
        _kept(results),
        _collateral(results),
        _diversity(results),
        *_downstream(results),
        _cost(results),
    )
    found = tuple(topic for topic in topics if topic is not None)
    if not found:
        return None
    title = "What debiasing keeps, changes and costs" if len(results.samplers) > 1 else "Utility and cost"
    return Chapter("effects", title, "Effects", (), found)


def _kept(results: Results) -> Topic | None:
    metrics = list(dict.fromkeys(m for sampler in results.samplers.values() for m in sampler.utility))
    pictures = [metric for metric in metrics if metric.partition(":")[0] in PICTURES]
    content = [metric for metric in metrics if metric not in pictures]
    tables = [
        _utility(results, part, key, caption)
        for part, key, caption in (
            (content, "utility", "What is kept of the content"),
            (pictures, "utility-pictures", "How similar the pictures are to the baseline's"),
        )
        if part
    ]
    estimates = (e for sampler in results.samplers.values() for e in sampler.utility.values())
    sentences = (_KEPT,) if len(results.samplers) > 1 else ()
    return (
        Topic("Utility", sentences, tables=tuple(tables), methods=methods_of(estimates)) if tables else None
    )


def _utility(results: Results, metrics: list[str], key: str, caption: str) -> Table:
    notes = Notes()
    paired = {m for m in metrics if any(m not in s.utility for s in results.samplers.values())}
    rows = tuple(
        (
            heading(name),
            *(
                notes.missing(COMPARED)
                if metric in paired and metric not in sampler.utility
                else estimate_cell(sampler.utility.get(metric), notes, metric_title(metric))
                for metric in metrics
            ),
        )
        for name, sampler in results.samplers.items()
    )
    columns = (
        sampler_column(results),
        *(Column(metric_title(metric), metric_direction(metric)) for metric in metrics),
    )
    return Table(key, caption + by_sampler(results), columns, rows, tuple(notes.reasons))


def _collateral(results: Results) -> Topic | None:
    found = {name: s.collateral for name, s in results.samplers.items() if s.collateral is not None}
    if not found:
        return None
    notes, debiased = Notes(), listing(next(iter(found.values())).debiased)
    rows = tuple(
        (
            heading(name),
            Cell(attribute),
            percent_cell(flips.all_images, notes),
            percent_cell(flips.where_changed, notes, f"n {one.changed:,}"),
            percent_cell(flips.where_kept, notes, f"n {one.kept:,}"),
            points_cell(flips.difference, notes),
        )
        for name, one in found.items()
        for attribute, flips in one.flips.items()
    )
    columns = (
        sampler_column(results),
        Column("Attribute", numeric=False),
        Column("Flipped", "lower is better"),
        Column(f"Where {debiased} changed"),
        Column(f"Where {debiased} did not", "lower is better"),
        Column("Difference", "percentage points, interval below"),
    )
    caption = "How often attributes flipped that nobody debiased"
    table = Table("collateral", caption, columns, rows, tuple(notes.reasons))
    numbers = (e for one in found.values() for f in one.flips.values() for e in (f.all_images, f.where_kept))
    sentence = _FLIPS.format(debiased=debiased)
    return Topic("Collateral change", (sentence,), tables=(table,), methods=methods_of(numbers))


def _diversity(results: Results) -> Topic | None:
    found = {name: s.diversity for name, s in results.samplers.items() if s.diversity}
    attributes = dict.fromkeys(attribute for own in found.values() for attribute in own)
    numbers = [e for own in found.values() for values in own.values() for e in values.values()]
    if not any(known(estimate.value) for estimate in numbers):
        return None
    tables = tuple(_values(results, found, attribute) for attribute in attributes)
    return Topic("Diversity within a value", (_DIVERSITY,), tables=tables, methods=methods_of(numbers))


def _values(results: Results, found: dict[str, dict[str, dict[str, Diversity]]], attribute: str) -> Table:
    notes = Notes()
    values = dict.fromkeys(value for own in found.values() for value in own.get(attribute, {}))
    rows = tuple(
        (heading(value), *(_diverse(own.get(attribute, {}).get(value), notes) for own in found.values()))
        for value in values
    )
    columns = (
        Column("Value", numeric=False),
        *(
            Column(shorten(name, 40) if len(found) > 1 else "Vendi score", "higher is better")
            for name in found
        ),
    )
    caption = f"Vendi score of the pictures of each value of perceived {attribute}{by_sampler(results)}"
    return Table(f"diversity-{attribute}", caption, columns, rows, tuple(notes.reasons))


def _diverse(estimate: Diversity | None, notes: Notes) -> Cell:
    cell = estimate_cell(estimate, notes)
    return cell if estimate is None else replace(cell, details=(*cell.details, f"n {estimate.n:,}"))


def _downstream(results: Results) -> Iterable[Topic]:
    for task, found in results.downstream.items():
        sensitive = found.real.sensitive
        numbers = [e for one in found.samplers.values() for e in (one.accuracy, one.equalised_odds)]
        sentence = _LEARNT.format(task=task, sensitive=sensitive)
        seen = f"Features of {found.real.features}." if found.real.features else ""
        yield Topic(
            f"What a classifier learns of {task}",
            (sentence,),
            tables=(_learnt(task, found),),
            methods=tuple(filter(None, (*methods_of(numbers), seen))),
        )


def _learnt(task: str, found: Downstreams) -> Table:
    notes = Notes()
    rows = [
        (
            heading(source),
            percent_cell(one.accuracy, notes),
            estimate_cell(one.demographic_parity, notes),
            estimate_cell(one.equalised_odds, notes),
            Cell(f"{one.train:,}", sort=one.train),
            Cell(f"{one.test:,}", sort=one.test),
        )
        for source, one in (*found.samplers.items(), ("real pictures", found.real))
    ]
    none = notes.missing("nothing is learnt here: the true values themselves are compared")
    true = (heading("true values"), none, estimate_cell(found.truth, notes), none, none, rows[0][-1])
    columns = (
        Column("Learnt from", numeric=False),
        Column("Accuracy", "higher is better"),
        Column("Demographic parity difference", "lower is better"),
        Column("Equalised odds difference", "lower is better"),
        Column("n learnt", "pictures"),
        Column("n tested", "real pictures"),
    )
    caption = f"Predictions of {task} on real pictures, by what they were learnt from"
    return Table(f"downstream-{task}", caption, columns, (*rows, true), tuple(notes.reasons))


def _cost(results: Results) -> Topic | None:
    costs = {name: sampler.cost for name, sampler in results.samplers.items()}
    if not any(known(cost.nfe_per_image) or known(cost.seconds_per_image) for cost in costs.values()):
        return None
    notes = Notes()
    measured = any(cost.peak_memory is not None for cost in costs.values())
    keys = ["nfe_per_image", "seconds_per_image", *(["peak_memory"] if measured else [])]
    rows = tuple((heading(name), *(_spent(cost, key, notes) for key in keys)) for name, cost in costs.items())
    columns = (sampler_column(results), *(Column(metric_title(key), metric_direction(key)) for key in keys))
    methods = sorted({c.peak_memory.method for c in costs.values() if c.peak_memory and c.peak_memory.value})
    said = (f"Memory: {' · '.join(methods)}.",) if methods else ()
    table = Table("cost", f"Cost{by_sampler(results)}", columns, rows, tuple(notes.reasons))
    return Topic("Cost", (), tables=(table,), methods=said)


def _spent(cost: Cost, key: str, notes: Notes) -> Cell:
    found = getattr(cost, key)
    number, reason = (found.value, found.reason) if isinstance(found, Estimate) else (found, cost.reason)
    if number is None:
        return notes.missing(reason, metric_title(key))
    text = {"nfe_per_image": f"{number:.10g}", "seconds_per_image": seconds(number)}
    return Cell(text.get(key, fixed(number, 0)), sort=number)
