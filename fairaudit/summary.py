"""The small table at the end of a run, in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairaudit.auditing import Finished
from fairaudit.entries import short_name
from fairaudit.results import Estimate, Results, SamplerResult, Stopping

BESIDE = 3
"""Samplers in one table; of more, a narrow terminal would show dots."""

VERDICT = "verdict"
_PAIRED = {"cosine to base": "feature_cosine", "content unchanged": "content.unchanged"}
_COLOURS = {"fair": "green", "unfair": "red", "not enough evidence": "yellow"}


def print_summary(finished: Finished) -> None:
    """Print the table and the paths of the reports on standard output."""
    console = Console(highlight=False)
    results = finished.results
    names = list(results.samplers)
    for attribute in next(iter(results.samplers.values())).attributes:
        for begin in range(0, len(names), BESIDE):
            console.print(_table(results, attribute, names[begin : begin + BESIDE]))
    if results.stopping is not None:
        console.print(Text(_stopped(results.stopping)))
    if results.skipped:
        kinds = ", ".join(f"{kind} {count}" for kind, count in results.skipped_counts.items())
        console.print(Text(f"files skipped: {results.unusable} ({kinds or 'the report names them'})"))
    console.print(f"results digest {results.digest[:16]}")
    for path in finished.reports.values():
        console.print(Text(str(path)), soft_wrap=True)


def _table(results: Results, attribute: str, names: Sequence[str]) -> Table:
    """One column a sampler, one row a number."""
    table = Table(
        title=Text(f"{results.generator}: {attribute}"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
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
    yield f"{value}, raw", _number(share.raw)
    if result.estimator != "raw":
        yield f"{value}, {result.estimator}", _interval(share)
    if result.equivalence is not None:
        pooled = "" if result.fd_prompts is None else "pooled "
        yield f"{pooled}p within {result.equivalence.delta:g}", _p(result.equivalence.p_value)
    if result.bias_amplification is not None:
        yield "amplification", _interval(result.bias_amplification)
    if attribute in sampler.obfuscation:
        yield "best probe error", _interval(sampler.obfuscation[attribute].error)
    frechet = _frechet(sampler)
    if frechet is not None:
        yield "Frechet distance", _interval(frechet, 1)
    for heading, metric in _PAIRED.items():
        if metric in sampler.utility:
            yield heading, _interval(sampler.utility[metric])
    for comparison in results.comparisons:
        shown = len(results.samplers) <= BESIDE or comparison.b == results.comparisons[0].b
        if shown and comparison.a == name and comparison.metric.startswith(f"{attribute}."):
            yield f"FD vs {comparison.b}", _interval(comparison.difference)
    if sampler.cost.nfe_per_image is not None:
        yield "evaluations/image", _number(sampler.cost.nfe_per_image, 0)
        yield "seconds/image", _number(sampler.cost.seconds_per_image)
    yield VERDICT, Text(result.verdict, style=_COLOURS[result.verdict])


def _stopped(stopping: Stopping) -> str:
    """Where a sequential audit stopped, and why."""
    why = "decided" if stopping.decided else "not decided"
    return f"stopped after {stopping.images:,} of {stopping.planned:,} images: {why} ({stopping.rule})"


def _frechet(sampler: SamplerResult) -> Estimate | None:
    """None for labels that were brought without their images."""
    found = (estimate for name, estimate in sampler.quality.items() if name.startswith("frechet:"))
    return next(found, None)


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
