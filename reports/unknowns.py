"""What an audit does not tell: undecided verdicts, numbers that are missing, and what was assumed."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.reports.names import metric_title
from fairaudit.reports.numbers import count, known, listing
from fairaudit.reports.verdicts import LABELLED, subject

from fairaudit.gating import judge
from fairaudit.results import Results


def unknowns(results: Results, asked: int) -> tuple[str, ...]:
    """Sentences, the most important first; `asked` is the number of prompts."""
    return (
        *_undecided(results),
        *_missing(results),
        *_unlabelled(results),
        *results.caveats,
        *_elsewhere(asked),
    )


def _undecided(results: Results) -> Iterator[str]:
    """One sentence an attribute, with how many images would decide it."""
    open_ = [one for one in judge(results, []) if one.outcome == "not enough evidence"]
    for attribute in dict.fromkeys(one.rule.metric.removesuffix(".verdict") for one in open_):
        names = [
            subject(one.rule.sampler or "", results)
            + (f" (about {one.images:,} images would tell)" if one.images else "")
            for one in open_
            if one.rule.metric == f"{attribute}.verdict"
        ]
        verb = "are" if len(names) > 1 or names[0].startswith("the images") else "is"
        yield f"Whether {listing(names)} {verb} fair in perceived {attribute}."


def _missing(results: Results) -> Iterator[str]:
    """Metrics that no sampler has, with the reasons."""
    reasons: dict[str, list[str]] = {}
    for sampler in results.samplers.values():
        for metric, estimate in (sampler.quality | sampler.utility).items():
            everywhere = [
                found[metric].value
                for one in results.samplers.values()
                if metric in (found := one.quality | one.utility)
            ]
            if estimate.reason and not any(known(value) for value in everywhere):
                reasons.setdefault(estimate.reason, []).append(metric_title(metric))
    for reason, titles in reasons.items():
        yield f"{listing(list(dict.fromkeys(titles)))}: {reason.rstrip('.')}."


def _unlabelled(results: Results) -> Iterator[str]:
    """Images that the classifier could not read, largest count of a sampler and attribute."""
    lost = [
        (sum(n for key, n in found.outcomes.items() if key != LABELLED), sum(found.outcomes.values()))
        for sampler in results.samplers.values()
        for found in sampler.attributes.values()
    ]
    most, whole = max(lost, default=(0, 0))
    if most:
        upto = "up to " if len(lost) > 1 else ""
        yield f"What {upto}{most:,} of {count(whole, 'image')} show: they have no usable label."


def _elsewhere(asked: int) -> Iterator[str]:
    if asked:
        of = "the one prompt" if asked == 1 else f"these {asked:,} prompts"
        yield f"How the generator answers other prompts: every number is about {of}."
