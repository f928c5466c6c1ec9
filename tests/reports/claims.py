"""What every format must show of results, written from the results alone."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.results import AttributeResult, Changes, Estimate, Intersection, Obfuscation, Results


def number(value: float, decimals: int, signed: bool = False) -> str:
    text = f"{value:{'+' if signed else ''}.{decimals}f}".replace("-", "−")
    return text if float(f"{value:.{decimals}f}") else f"{0:.{decimals}f}"


def percent(estimate: Estimate) -> Iterator[str]:
    yield f"{number(100 * estimate.value, 1)} %"
    if estimate.low is not None:
        yield f"{number(100 * estimate.low, 1)} to {number(100 * estimate.high, 1)} %"


def points(estimate: Estimate, signed: bool = True) -> Iterator[str]:
    yield f"{number(100 * estimate.value, 1, signed)} pp"
    if estimate.low is not None:
        yield f"{number(100 * estimate.low, 1, signed)} to {number(100 * estimate.high, 1, signed)} pp"


def plain(estimate: Estimate, decimals: int = 3) -> Iterator[str]:
    yield number(estimate.value, decimals)
    if estimate.high is None:
        yield f"at least {number(estimate.low, decimals)}"
    else:
        yield f"{number(estimate.low, decimals)} to {number(estimate.high, decimals)}"


def of_attribute(result: AttributeResult, transfer: bool) -> Iterator[str]:
    for share in result.shares.values():
        low, high = share.simultaneous
        yield f"{number(100 * low, 1)} to {number(100 * high, 1)} %"
    for shares in result.other_estimators.values():
        for estimate in shares.values():
            yield from percent(estimate)
    for index in result.indices.values():
        yield from plain(index)
        yield f"labels {number(index.raw, 3)}"
    for key, side in (("kl_divergence", "below"), ("effective_number", "above")):
        yield f"fair {side} {number(result.indices[key].null95, 3)}"
    yield f"within {result.equivalence.delta:.3f} of the target: p = {result.equivalence.p_value:.3f}"
    for spread in result.across_prompts.values():
        yield from percent(spread.mean)
        yield from points(spread.spread, signed=False)
    yield from points(result.bias_amplification)
    for step in result.thresholds:
        yield f"{step.labelled:,}"
        yield from (f"{number(100 * share, 1)} %" for share in step.shares.values() if share is not None)
    if transfer:
        yield f"{result.transfer.distance:.3f}, p = {result.transfer.p_value:.3f}"
    yield f"BH {result.p_bh:.3f}"


def of_prompt(result: AttributeResult) -> Iterator[str]:
    """Of two values the first says it all."""
    yield f"BH {result.p_bh:.3f}"
    first = next(iter(result.shares))
    yield f"{number(100 * result.planted[first], 1)} %"
    yield from points(result.amplification[first])


def of_intersection(item: Intersection) -> Iterator[str]:
    yield item.smallest_cell
    value, low, high = item.smallest.value, item.smallest.low, item.smallest.high
    yield f"{value:.2f} ({low:.2f} to {high:.2f}) times its target"
    yield from plain(item.fd)
    yield from (f"{fd:.3f}" for fd in (item.fd.null95, *item.marginal_fd.values(), item.p_value))
    for cell, share in item.cells.items():
        yield cell
        yield from percent(share)
        target = item.target[cell]
        yield f"{100 * target:.1f} %"
        yield f"{share.low / target:.2f} to {share.high / target:.2f}"


def of_obfuscation(item: Obfuscation) -> Iterator[str]:
    for estimate in (item.error, *item.probes.values()):
        width = estimate.high - estimate.low
        yield from plain(estimate, 3 if width < 0.1 else 2)
    yield from item.probes


def of_changes(changes: Changes) -> Iterator[str]:
    yield from (f"{n:,}" for row in changes.flips.values() for n in row.values())
    yield from percent(changes.changed)
    yield f"{changes.p_value:.3f}"
    yield changes.test
    for estimate in changes.shares.values():
        yield from points(estimate)


def of_results(results: Results, transfer: bool = True) -> Iterator[str]:
    """Every text that a report of these results must hold; `transfer` is told in the method."""
    for sampler in results.samplers.values():
        for result in sampler.attributes.values():
            yield from of_attribute(result, transfer)
        for answer in sampler.prompts.values():
            for result in answer.attributes.values():
                yield from of_prompt(result)
        for item in sampler.intersections.values():
            yield from of_intersection(item)
        for obfuscation in sampler.obfuscation.values():
            yield from of_obfuscation(obfuscation)
    for comparison in results.comparisons:
        if comparison.changes:
            yield from of_changes(comparison.changes)
            yield f"BH {comparison.p_bh:.3f}"
    stopping = results.stopping
    yield f"after {stopping.images:,} of {stopping.planned:,} images"
    yield f"(--until {stopping.rule})"
    yield f"saved {100 * (1 - stopping.images / stopping.planned):.1f} %"
    for estimate in stopping.intervals.values():
        yield from percent(estimate)
