"""What each sampler ran on, where a run has several generators."""

from __future__ import annotations

from fairaudit.reports.numbers import listing, shorten

from fairaudit.results import Results


def audited(results: Results) -> str:
    """The generator, and those that it is compared with."""
    names = list(dict.fromkeys([results.generator, *_by_generator(results)]))
    return listing([shorten(name, 80) for name in names])


def ran_on(results: Results) -> str:
    """A sentence that says which sampler ran on which generator; empty where there is only one."""
    parts = [f"{listing(samplers)} on {name}" for name, samplers in _by_generator(results).items()]
    return f"Several generators, from the same noise: {'; '.join(parts)}." if parts else ""


def _by_generator(results: Results) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, sampler in results.samplers.items():
        if sampler.generator is not None:
            found.setdefault(sampler.generator, []).append(name)
    return found
