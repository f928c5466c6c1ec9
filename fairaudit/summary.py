"""The small table at the end of a run, in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairaudit.auditing import Finished
from fairaudit.choosing import sentences
from fairaudit.entries import short_name
from fairaudit.metrics.titles import metric_title
from fairaudit.results import Estimate, Results, SamplerResult, Stopping
from fairaudit.tradeoff import quality_metric

BESIDE = 3
"""Samplers in one table; of more, a narrow terminal would show dots."""

VERDICT = "verdict"
UNCHANGED = "content.unchanged"
_SMALL = 0.3
_HEADINGS = {"frechet": "Frechet distance"}
_COLOURS = {"fair": "green", "unfair": "red", "not enough evidence": "yellow"}


def print_summary(finished: Finished) -> None:
    """Print the table, which sampler to take, and where the reports are, on standard output."""
    console = Console(highlight=False)
    results = finished.results
    names = list(results.samplers)
    for attribute in next(iter(results.samplers.values())).attributes:
        for begin in range(0, len(names), BESIDE):
            console.print(_table(results, attribute, names[begin : begin + BESIDE]))
    for choice in results.choices:
        console.print(Text(f"{choice.attribute}: {' '.join(sentences(results, choice))}"))
    if results.stopping is not None:
        console.print(Text(_stopped(results.stopping)))
    if results.skipped:
        kinds = ", ".join(f"{kind} {count}" for kind, count in results.skipped_counts.items())
        console.print(Text(f"files skipped: {results.unusable} ({kinds or 'the report names them'})"))
    console.print(f"results digest {results.digest[:16]}")
    for line in _places(finished.reports):
        console.print(Text(line), soft_wrap=True)


def _places(reports: Mapping[str, Path]) -> Iterator[str]:
    """The page to open, and in which other formats it lies beside it."""
    first = "html" if "html" in reports else next(iter(reports), None)
    if first is not None:
        others = [f".{name}" for name in reports if name != first]
        also = f" (also {', '.join(others)})" if others else ""
        yield f"{reports[first]}{also}"


def _table(results: Results, attribute: str, names: Sequence[str]) -> Table:
    """One column a sampler, one row a number."""
    title = Text(f"{results.generator}: {attribute}")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column(f"{results.n} images" + (" each" if len(results.samplers) > 1 else ""), no_wrap=True)
    for name in names:
        table.add_column(Text(name), overflow="fold")
    rows = [[*_ran_on(results.samplers[name]), *_rows(name, attribute, results)] for name in names]
    headings = list(dict.fromkeys(heading for column in rows for heading, _ in column))
    headings.append(headings.pop(headings.index(VERDICT)))
    for heading in headings:
        table.add_row(heading, *(dict(column).get(heading, Text("")) for column in rows))
    return table


def _ran_on(sampler: SamplerResult) -> Iterator[tuple[str, Text]]:
    if sampler.generator is not None:
        yield "generator", Text(short_name(sampler.generator))


def _rows(name: str, attribute: str, results: Results) -> Iterator[tuple[str, Text]]:
    """Heading and cell of every row of a sampler's column."""
    sampler = results.samplers[name]
    result = sampler.attributes[attribute]
    value = next(iter(result.shares))
    share = result.shares[value]
    if result.fd_prompts is not None:
        yield "FD within prompts", _interval(result.fd_prompts)
        yield "FD pooled", _interval(result.fd)
    else:
        yield "FD", _interval(result.fd)
    yield f"{value}, {result.estimator}", _interval(share)
    if result.equivalence is not None:
        pooled = "" if result.fd_prompts is None else "pooled "
        yield f"{pooled}p within {result.equivalence.delta:g}", _p(result.equivalence.p_value)
    if result.bias_amplification is not None:
        yield "amplification", _interval(result.bias_amplification)
    if attribute in sampler.obfuscation:
        yield "best probe error", _interval(sampler.obfuscation[attribute].error)
    told = quality_metric(results, list(results.samplers))
    if told is not None and told[0] == "quality":
        largest = max(abs(one.quality[told[1]].value or 0.0) for one in results.samplers.values())
        yield _scaled(told[1], sampler.quality[told[1]], thousandths=largest < _SMALL)
    if UNCHANGED in sampler.utility:
        yield "content unchanged", _interval(sampler.utility[UNCHANGED])
    for comparison in results.comparisons:
        reference = comparison.b == results.comparisons[0].b
        if reference and comparison.a == name and comparison.metric.startswith(f"{attribute}.fd"):
            yield f"FD vs {comparison.b}", _interval(comparison.difference)
    if sampler.cost.nfe_per_image is not None:
        count, seconds = _number(sampler.cost.nfe_per_image, 0), _number(sampler.cost.seconds_per_image)
        yield "evaluations, time", Text(f"{count}, {seconds} s")
    yield VERDICT, Text(result.verdict, style=_COLOURS[result.verdict])


def _stopped(stopping: Stopping) -> str:
    """Where a sequential audit stopped, and why."""
    why = "decided" if stopping.decided else "not decided"
    return f"stopped after {stopping.images:,} of {stopping.planned:,} images: {why} ({stopping.rule})"


def _scaled(metric: str, estimate: Estimate, *, thousandths: bool) -> tuple[str, Text]:
    """Heading and cell of a measure of quality."""
    heading = _HEADINGS.get(metric.partition(":")[0], metric_title(metric))
    if not thousandths:
        return heading, _interval(estimate, 1)
    ends = {end: 1000 * getattr(estimate, end) for end in ("value", "low", "high") if getattr(estimate, end)}
    return f"{heading} x 1000", _interval(estimate.model_copy(update=ends), 1)


def _interval(estimate: Estimate, digits: int = 2) -> Text:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return _number(estimate.value, digits)
    low, high = f"{estimate.low:.{digits}f}", f"{estimate.high:.{digits}f}"
    # Text, because rich would read the brackets as markup.
    return Text(f"{estimate.value:.{digits}f} [{low}, {high}]")


def _number(value: float | None, digits: int = 2) -> Text:
    return Text("n/a" if value is None else f"{value:.{digits}f}")


def _p(value: float | None) -> Text:
    return Text("< 0.001") if value is not None and value < 0.001 else _number(value, 3)
