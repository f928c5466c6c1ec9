"""What an image costs, from what every unit of a run has cost."""

from __future__ import annotations

from statistics import median

from fairaudit.results import Cost
from fairaudit.store import Run


def cost_of(run: Run, sampler: str) -> Cost:
    """Evaluations and seconds per image: the median over units, which a cold start does not move."""
    units = run.read_costs(sampler)
    if not units:
        reason = "the images were not made in this run"
        return Cost(nfe_per_image=None, seconds_per_image=None, images_per_second=None, reason=reason)
    seconds = median(unit["seconds"] / unit["images"] for unit in units)
    return Cost(
        nfe_per_image=units[0]["evaluations"],
        seconds_per_image=round(seconds, 4),
        images_per_second=round(1 / seconds, 3) if seconds else None,
    )
