"""Do several readers of the same pictures agree, and what do people say who looked at some of them?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fairaudit.reports.cells import (
    Notes,
    estimate_cell,
    heading,
    methods_of,
    percent_cell,
    sampler_cells,
    sampler_columns,
)
from fairaudit.reports.model import Cell, Chapter, Column, Table, Topic
from fairaudit.reports.names import IMAGES
from fairaudit.reports.numbers import listing, percent

from fairaudit.results import Agreement, Estimate, Human, Results

_HUMAN = (
    "People labelled some of the images, without seeing what the classifier says. Prediction-powered shares "
    "use both: the classifier's labels of all images, corrected by how far they are from the people's on "
    "these. Their intervals hold whatever the classifier's errors are, and say nothing of the people's.",
    "Images that people could not tell count for no value. Where human labels are few, the interval is the "
    "exact one of the human labels alone.",
)
_AGREE = (
    "Kappa and alpha are 1 where all agree and 0 where they agree as often as chance does; above 0.8 is "
    "commonly taken as reliable, below 0.67 as not (Krippendorff 2004). That classifiers agree does not make "
    "them right: they may err alike."
)


def people(results: Results, attributes: Iterable[str]) -> Chapter | None:
    """Human labels; None where nobody labelled any."""
    topics = tuple(topic for name in attributes for topic in _of_people(results, name))
    if not topics:
        return None
    return Chapter("people", "What people say who looked", "People", _HUMAN, topics)


def readers(results: Results, attributes: Iterable[str]) -> Chapter | None:
    """Agreement of several classifiers; None where there is one only."""
    topics = tuple(topic for name in attributes for topic in _of_classifiers(results, name))
    if not topics:
        return None
    return Chapter("agreement", "Do several classifiers agree?", "Agreement", (_AGREE,), topics)


def _of_people(results: Results, attribute: str) -> Iterator[Topic]:
    found = {name: s.human[attribute] for name, s in results.samplers.items() if attribute in s.human}
    if not found:
        return
    notes = Notes()
    rows = tuple(
        (
            heading(value),
            *sampler_cells(results, name),
            percent_cell(share, notes),
            percent_cell(share.alone, notes),
            Cell(percent(1 - share.narrower), sort=1 - share.narrower)
            if share.narrower is not None
            else notes.missing("the interval is that of the human labels alone"),
            percent_cell(_machine_share(results, name, attribute, value), notes),
        )
        for name, human in found.items()
        for value, share in human.shares.items()
    )
    columns = (
        Column("Value", numeric=False),
        *sampler_columns(results),
        Column("With human labels", "people's labels of some images and the classifier's of all"),
        Column("Human labels alone", "what as many human labels of a random draw say"),
        Column("Width", "of the first interval, as a part of the second's"),
        Column("Classifier", "the share that the verdict rests on"),
    )
    caption = f"Shares of perceived {attribute} that rest on human labels"
    table = Table(f"human-{attribute}", caption, columns, rows, tuple(notes.reasons))
    shares = [share for human in found.values() for share in human.shares.values()]
    sentences = tuple(_rests(results, name, human) for name, human in found.items())
    agreed = {name: human.agreement for name, human in found.items() if human.agreement}
    tables = (
        table,
        *_agreement_tables(results, agreed, f"annotators-{attribute}", "Agreement of annotators"),
    )
    yield Topic(f"Perceived {attribute}", sentences, tables=tables, methods=methods_of(shares))


def _rests(results: Results, name: str, human: Human) -> str:
    """How many human labels there are, of whom, and how often the classifier says the same."""
    who = "" if IMAGES in results.samplers else f"{name}: "
    people = f"{len(human.annotators)} annotator{'s' if len(human.annotators) > 1 else ''}"
    same = human.machine
    agrees = "" if same.value is None else f" The classifier says the same of {percent(same.value)} of them."
    told = f"{human.images:,} images labelled by {people} ({human.draw} draw), {human.known:,} of which"
    later = (
        f" {human.left_out:,} more come after a skipped one: no random draw, they do not count."
        if human.left_out
        else ""
    )
    return f"{who}{told} could be told.{later}{agrees}{_narrower(human)}"


def _narrower(human: Human) -> str:
    """How much the classifier's labels add to people's, over the values."""
    found = [share.narrower for share in human.shares.values() if share.narrower is not None]
    if not found:
        return ""
    low, high = percent(abs(min(found))), percent(abs(max(found)))
    if max(found) <= 0:
        return " With the classifier's labels of all images, no interval is narrower than with these alone."
    span = high if low == high else f"{low} to {high}"
    how = span if min(found) > 0 else f"at best {high}"
    return (
        f" With the classifier's labels of all images, intervals are {how} narrower than with "
        "the human labels alone."
    )


def _machine_share(results: Results, sampler: str, attribute: str, value: str) -> Estimate | None:
    return results.samplers[sampler].attributes[attribute].shares.get(value)


def _of_classifiers(results: Results, attribute: str) -> Iterator[Topic]:
    found = {n: s.agreement[attribute] for n, s in results.samplers.items() if attribute in s.agreement}
    if not found:
        return
    raters = next(iter(found.values())).raters
    tables = _agreement_tables(results, found, f"agreement-{attribute}", "Agreement of classifiers")
    shares = _consensus_table(results, attribute, found)
    sentence = f"{listing(raters)} read perceived {attribute} in the same images."
    if len(raters) == 2:
        sentence += " Of two, the consensus can hardly tell which one errs: it takes three."
    estimates = [e for one in found.values() for e in (one.percent, one.kappa, one.alpha)]
    estimates += [e for one in found.values() if one.consensus for e in one.consensus.shares.values()]
    yield Topic(
        f"Perceived {attribute}", (sentence,), tables=(*tables, *shares), methods=methods_of(estimates)
    )


def _agreement_tables(
    results: Results, found: dict[str, Agreement], key: str, caption: str
) -> tuple[Table, ...]:
    if not found:
        return ()
    notes = Notes()
    rows = tuple(
        (
            heading(name if name != IMAGES else "images"),
            Cell(f"{one.images:,}", sort=one.images),
            percent_cell(one.percent, notes),
            estimate_cell(one.kappa, notes),
            estimate_cell(one.alpha, notes),
        )
        for name, one in found.items()
    )
    columns = (
        Column("Source" if IMAGES in results.samplers else "Sampler", numeric=False),
        Column("Images", "with labels of at least two"),
        Column("Equal labels", "share of equal pairs of labels of an image"),
        Column("Kappa", "Cohen's of two, Fleiss' of more"),
        Column("Alpha", "Krippendorff's"),
    )
    return (Table(key, caption, columns, rows, tuple(notes.reasons)),)


def _consensus_table(results: Results, attribute: str, found: dict[str, Agreement]) -> tuple[Table, ...]:
    notes = Notes()
    rows = tuple(
        (
            heading(value),
            *sampler_cells(results, name),
            percent_cell(share, notes),
            percent_cell(_machine_share(results, name, attribute, value), notes),
            Cell(f"{one.consensus.changed:,}", sort=one.consensus.changed),
        )
        for name, one in found.items()
        if one.consensus is not None
        for value, share in one.consensus.shares.items()
    )
    columns = (
        Column("Value", numeric=False),
        *sampler_columns(results),
        Column("Consensus", "uncorrected share of the most likely values (Dawid & Skene 1979)"),
        Column("First classifier", "the share that the verdict rests on"),
        Column("Labels overruled", "of the first classifier, by the consensus"),
    )
    caption = f"What the classifiers say together of perceived {attribute}"
    return (Table(f"consensus-{attribute}", caption, columns, rows, tuple(notes.reasons)),) if rows else ()
