"""Measures of imbalance other than FD."""

from __future__ import annotations

from dataclasses import replace

from fairaudit.reports.cells import Notes, heading
from fairaudit.reports.model import Cell, Column, Table
from fairaudit.reports.numbers import fixed, interval, shorten

from fairaudit.results import Index, Results

MEASURES = (
    "Each measure sums up the same shares in another way. Below its interval is where a fair generator "
    "stays by chance at this number of images, and the measure of the labels as they are, uncorrected."
)

_NAMES = {
    "total_variation": ("Total variation", "fraction of images that would have to change; 0 is fair"),
    "kl_divergence": ("Kullback–Leibler divergence", "of the shares from the target, in nats; 0 is fair"),
    "chi_square_distance": ("Chi-square distance", "squared differences over the target; 0 is fair"),
    "max_min_ratio": (
        "Max–min ratio",
        "best represented value over the least, each by its target; 1 is fair",
    ),
    "normalised_entropy": ("Normalised entropy", "1 is even, 0 is one value only"),
    "mean_absolute_deviation": ("Mean absolute deviation (MAD)", "of a share from its target; 0 is fair"),
    "deviation_ratio": ("Deviation ratio", "largest deviation over the largest there can be; 0 is fair"),
    "effective_number": ("Effective number of values", "so many equally common values are as diverse"),
}
"""Key to title, and what the number says."""

_EVENNESS = {"normalised_entropy", "effective_number"}
"""Where a fair generator stays above the end of its band."""


def indices_table(results: Results, attribute: str) -> Table | None:
    """One row a measure, one column a sampler; None where none was taken."""
    notes = Notes()
    found = {
        name: measured.indices
        for name, sampler in results.samplers.items()
        if (measured := sampler.attributes.get(attribute)) and measured.indices
    }
    rows = tuple(
        (
            heading(_NAMES.get(key, (key.replace("_", " "), ""))[0]),
            Cell(_NAMES.get(key, ("", ""))[1]),
            *(_cell(key, indices.get(key), notes) for indices in found.values()),
        )
        for key in dict.fromkeys(key for indices in found.values() for key in indices)
    )
    columns = (
        Column("Measure", numeric=False),
        Column("What it says", numeric=False),
        *(Column(shorten(name, 40) if len(found) > 1 else "Value", "interval below") for name in found),
    )
    caption = f"Other measures of the shares of perceived {attribute}"
    return Table(f"measures-{attribute}", caption, columns, rows, tuple(notes.reasons)) if rows else None


def _cell(key: str, index: Index | None, notes: Notes) -> Cell:
    """The measure, its interval, what a fair generator stays within, and the labels' own value."""
    if index is None:
        return notes.missing("not measured for this sampler")
    side = "above" if key in _EVENNESS else "below"
    details = (
        _between(index),
        f"fair {side} {fixed(index.null95, 3)}" if index.null95 is not None else "",
        f"labels {fixed(index.raw, 3)}" if index.raw is not None else "",
    )
    shown = (
        notes.missing(index.reason) if index.value is None else Cell(fixed(index.value, 3), sort=index.value)
    )
    return replace(shown, details=tuple(filter(None, details)), hint=shown.hint or index.method)


def _between(index: Index) -> str:
    """The interval; ratios may have no upper end."""
    if index.low is not None and index.high is None:
        return f"at least {fixed(index.low, 3)}"
    return interval(index.low, index.high)
