"""Can one tell from a picture which value the sampler was told to aim at?"""

from __future__ import annotations

from collections.abc import Iterable

from fairaudit.reports.cells import Notes, estimate_cell, fd_cell, heading, methods_of, sampler_column
from fairaudit.reports.meaning import deciding
from fairaudit.reports.model import Chapter, Column, Table, Topic
from fairaudit.reports.numbers import shorten

from fairaudit.results import Discrepancy, Obfuscation, Results, SamplerResult

_MEANING = (
    "A probe learns to tell from pictures which value the sampler was told to aim at, and is tested on "
    "pictures that it has not seen. Its balanced error is 0.5 where nobody can tell which of two values was "
    "assigned (1 − 1/K for K values), and 0 where every picture tells; the best probe's error counts.",
    "This is not what FD says. FD asks how often each value comes out, the error whether a picture betrays "
    "its assignment: a sampler that obeys balanced assignments every time has FD 0 and error 0.",
)


def obfuscation(results: Results, attributes: Iterable[str]) -> Chapter | None:
    """Probe errors next to FD; None where no sampler was told a value."""
    joint = (name for sampler in results.samplers.values() for name in sampler.obfuscation)
    probed = dict.fromkeys([*attributes, *joint])
    tables = tuple(table for name in probed if (table := _table(results, name)))
    if not tables:
        return None
    found = [item for sampler in results.samplers.values() for item in sampler.obfuscation.values()]
    intervals = methods_of(e for item in found for e in (item.error, *item.probes.values()))
    title = "Does a picture tell which value was assigned?"
    return Chapter(
        "assignments", title, "Probes", _MEANING, (Topic("", (), tables=tables, methods=intervals),)
    )


def _table(results: Results, attribute: str) -> Table | None:
    notes = Notes()
    found: dict[str, Obfuscation] = {
        name: sampler.obfuscation[attribute]
        for name, sampler in results.samplers.items()
        if attribute in sampler.obfuscation
    }
    if not found:
        return None
    probes = list(dict.fromkeys(probe for item in found.values() for probe in item.probes))
    rows = []
    for name, item in found.items():
        fd = _fd(results.samplers[name], attribute)
        rows.append(
            (
                heading(name),
                estimate_cell(item.error, notes),
                fd_cell(fd, notes, whole=False) if fd else notes.missing("not measured"),
                *(estimate_cell(item.probes.get(probe), notes) for probe in probes),
            )
        )
    columns = (
        sampler_column(results),
        Column("Error of the best probe", "0.5: nobody can tell; interval below"),
        Column("FD", "distance of the shares from the target; interval below"),
        *(Column(f"Error of {shorten(probe, 30)}") for probe in probes),
    )
    caption = f"Balanced probe error and FD in perceived {attribute}"
    return Table(f"obfuscation-{attribute}", caption, columns, tuple(rows), tuple(notes.reasons))


def _fd(sampler: SamplerResult, name: str) -> Discrepancy | None:
    """Of an attribute, or of several together."""
    if name in sampler.attributes:
        return deciding(sampler.attributes[name])
    return sampler.intersections[name].fd if name in sampler.intersections else None
