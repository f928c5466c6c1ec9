"""The numbers of a sampler that are about no single attribute's shares, by the names that rules use."""

from __future__ import annotations

from fairaudit.results import Cost, Estimate, Results, SamplerResult

_FLIPS = {
    "flips": "all_images",
    "flips_where_changed": "where_changed",
    "flips_where_kept": "where_kept",
}
_LEARNT = ("accuracy", "demographic_parity", "equalised_odds")


def named_numbers(results: Results, name: str) -> dict[str, Estimate]:
    """Quality, utility, what a sampler changed besides, what is learnt from its images, and their cost."""
    sampler = results.samplers[name]
    learnt = {
        f"{task}.downstream_{key}": getattr(found.samplers[name], key)
        for task, found in results.downstream.items()
        if name in found.samplers
        for key in _LEARNT
    }
    besides = _besides(sampler) | sampler.gaps
    return sampler.quality | sampler.utility | besides | learnt | _costs(sampler.cost)


def _besides(sampler: SamplerResult) -> dict[str, Estimate]:
    flips = sampler.collateral.flips if sampler.collateral else {}
    flipped = {
        f"{attribute}.{key}": getattr(found, field)
        for attribute, found in flips.items()
        for key, field in _FLIPS.items()
    }
    diverse = {
        f"{attribute}.{value}.vendi": estimate
        for attribute, values in sampler.diversity.items()
        for value, estimate in values.items()
    }
    return flipped | diverse


def _costs(cost: Cost) -> dict[str, Estimate]:
    """What was counted or measured, and has no error of sampling."""
    spent = {"nfe_per_image": cost.nfe_per_image, "seconds_per_image": cost.seconds_per_image}
    reasons: dict[str, str | None] = dict.fromkeys(spent, cost.reason)
    if cost.peak_memory is not None:
        spent["peak_memory"], reasons["peak_memory"] = cost.peak_memory.value, cost.peak_memory.reason
    return {
        name: Estimate(value=value, low=value, high=value, method="measured", reason=reasons[name])
        for name, value in spent.items()
    }
