"""The small table at the end of a run, in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairaudit.auditing import Finished
from fairaudit.results import AttributeResult, Estimate, Results, SamplerResult

_COLOURS = {"fair": "green", "unfair": "red", "not enough evidence": "yellow"}


def print_summary(finished: Finished) -> None:
    """Print the table and the paths of the reports on standard output."""
    console = Console(highlight=False)
    results = finished.results
    for attribute in next(iter(results.samplers.values())).attributes:
        console.print(_table(results, attribute))
    for name, path in finished.reports.items():
        console.print(Text(f"report ({name}): {path}"), soft_wrap=True)
    console.print(f"results digest: {results.digest[:16]}")


def _table(results: Results, attribute: str) -> Table:
    title = Text(f"{results.generator}: {attribute}, {results.n} images of each sampler")
    table = Table(title=title, title_justify="left")
    table.add_column("sampler")
    first = next(iter(results.samplers.values()))
    value = next(iter(first.attributes[attribute].shares))
    several = first.attributes[attribute].fd_prompts is not None
    paired = len(results.samplers) > 1
    headings = ["FD in prompts", "FD pooled"] if several else ["FD"]
    headings += [f"{value} raw", f"{value} corrected", "Frechet distance"]
    headings += ["cosine to baseline", "content kept"] if paired else []
    headings += ["NFE/image", "s/image", "verdict"]
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, sampler in results.samplers.items():
        result = sampler.attributes[attribute]
        cells = [name]
        cells += [_interval(result.fd_prompts)] if several else []
        cells += [_interval(result.fd), *_shares(result, value), _frechet(sampler)]
        cells += [_paired(sampler, "feature_cosine"), _paired(sampler, "content.unchanged")] if paired else []
        cells += [_number(sampler.cost.nfe_per_image, 0), _number(sampler.cost.seconds_per_image, 2)]
        colour = _COLOURS[result.verdict]
        table.add_row(*(Text(cell) for cell in cells), Text(result.verdict, style=colour))
    return table


def _shares(result: AttributeResult, value: str) -> tuple[str, str]:
    share = result.shares[value]
    return _number(share.raw, 2), _interval(share) if result.estimator == "corrected" else "no calibration"


def _frechet(sampler: SamplerResult) -> str:
    found = [estimate for name, estimate in sampler.quality.items() if name.startswith("frechet:")]
    return _interval(found[0], 1) if found else "n/a"


def _paired(sampler: SamplerResult, name: str) -> str:
    return _interval(sampler.utility.get(name))


def _interval(estimate: Estimate | None, digits: int = 2) -> str:
    if estimate is None or estimate.value is None:
        return "n/a"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.{digits}f}"
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def _number(value: float | None, digits: int) -> str:
    return "n/a" if value is None else f"{value:.{digits}f}"
