"""What an image costs, from what every unit of a run has cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from fairaudit.results import Cost, Estimate
from fairaudit.store import Run


def cost_of(run: Run, sampler: str) -> Cost:
    """Evaluations and seconds per image, and the most memory that a unit took.

    Seconds are the median over units, which a cold start does not move.
    """
    units = run.read_costs(sampler)
    if not units:
        reason = "the images were not made in this run"
        return Cost(nfe_per_image=None, seconds_per_image=None, images_per_second=None, reason=reason)
    seconds = median(unit["seconds"] / unit["images"] for unit in units)
    return Cost(
        nfe_per_image=units[0]["evaluations"],
        seconds_per_image=round(seconds, 4),
        images_per_second=round(1 / seconds, 3) if seconds else None,
        peak_memory=_peak(units),
    )


def _peak(units: Sequence[Mapping[str, Any]]) -> Estimate:
    """Samplers that a call of the network serves together share its memory."""
    measured = [unit for unit in units if "peak_bytes" in unit]
    if not measured:
        return Estimate(value=None, method="peak memory", reason="memory was not measured here")
    most = max(measured, key=lambda unit: unit["peak_bytes"])
    return Estimate(value=round(most["peak_bytes"] / 2**20, 1), method=most["peak_of"])
