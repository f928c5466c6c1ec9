"""What the generator makes of the bias in its training data, where that is known."""

from __future__ import annotations

from collections.abc import Iterable

from fairaudit.reports.amplification import amplified
from fairaudit.reports.cells import methods_of
from fairaudit.reports.model import Chapter, Fold, Topic
from fairaudit.reports.numbers import known, points, with_interval
from fairaudit.reports.planted import Planted, figures, furthest, planted_rows, planted_table
from fairaudit.reports.verdicts import headline

from fairaudit.results import Estimate, Results

ROWS_IN_SIGHT = 12

_DIFFERENCE = (
    "Planted is the share among a prompt's training pictures, measured the share among its generated "
    "ones; the difference is measured minus planted, in percentage points (pp). A dot on the diagonal "
    "repeats the training data."
)
_AMPLIFICATION = (
    "Bias amplification is how much further than planted the shares lean to the side that the training "
    "data lean to, mean over prompts: above 0 the generator exaggerates its training data, below 0 it "
    "softens them."
)


def training(results: Results, attributes: Iterable[str]) -> Chapter | None:
    """Planted beside measured shares; None where no training data are known."""
    topics = [topic for i, name in enumerate(attributes) if (topic := _topic(results, name, f"d{i}"))]
    if not topics:
        return None
    found = [result for sampler in results.samplers.values() for result in sampler.attributes.values()]
    sentences = (_DIFFERENCE, _AMPLIFICATION) if any(r.bias_amplification for r in found) else (_DIFFERENCE,)
    return Chapter("training", "Against the training data", "Training", sentences, tuple(topics))


def _topic(results: Results, attribute: str, key: str) -> Topic | None:
    every = planted_rows(results, attribute)
    amplifications = {
        name: found.bias_amplification
        for name, sampler in results.samplers.items()
        if (found := sampler.attributes.get(attribute)) and found.bias_amplification
    }
    if not every and not amplifications:
        return None
    rows = furthest(every)
    table = planted_table(results, attribute, rows)
    folded = table is not None and len(table.rows) > ROWS_IN_SIGHT
    return Topic(
        f"Perceived {attribute}",
        (
            *(
                f"{headline(name, results)}: {_lower(amplified(found))}"
                for name, found in amplifications.items()
            ),
            *_directional(results, attribute),
            *_left_out(every, rows),
        ),
        figures(results, attribute, rows, key),
        (table,) if table and not folded else (),
        (Fold(f"{table.caption} ({len(table.rows)} rows)", (table,)),) if table and folded else (),
        methods_of([*amplifications.values(), *_differences(rows)]),
    )


def _directional(results: Results, attribute: str) -> Iterable[str]:
    for name, sampler in results.samplers.items():
        result = sampler.attributes.get(attribute)
        if result and result.directional_amplification and known(result.directional_amplification.value):
            number = with_interval(*points(result.directional_amplification))
            yield (
                f"{headline(name, results)}: directional amplification {number}: how much more a prompt goes "
                "with the values that it goes with more often than other prompts (Wang & Russakovsky 2021)."
            )


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _left_out(every: list[Planted], rows: list[Planted]) -> Iterable[str]:
    prompts, shown = {row.prompt for row in every}, {row.prompt for row in rows}
    if left := len(prompts) - len(shown):
        yield f"Shown are the {len(shown)} prompts furthest from planted; {left:,} more are in results.json."


def _differences(rows: list[Planted]) -> Iterable[Estimate]:
    return (found for row in rows for found in (row.result.amplification or {}).values())
