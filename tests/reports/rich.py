"""Everything optional that results may hold, with numbers that no two places share."""

from __future__ import annotations

from itertools import product

import numpy as np

from fairaudit.attributes import ATTRIBUTES
from fairaudit.results import (
    AttributeResult,
    Changes,
    Comparison,
    Discrepancy,
    Equivalence,
    Estimate,
    Index,
    Intersection,
    Obfuscation,
    Results,
    SamplerResult,
    Share,
    Spread,
    Stopping,
    Threshold,
    Transfer,
)

INDICES = {
    "total_variation": 1.0,
    "kl_divergence": 1.0,
    "chi_square_distance": 1.0,
    "max_min_ratio": 6.0,
    "normalised_entropy": 1.0,
    "mean_absolute_deviation": 1.0,
    "deviation_ratio": 1.0,
    "effective_number": 2.0,
}
FEW_PROMPTS = "intervals of a spread take 8 prompts <or more>"


class Enricher:
    """Fills every optional field in; equal seeds give equal numbers."""

    def __init__(self, seed: int = 7) -> None:
        self.rng = np.random.default_rng(seed)

    def number(self, low: float = 0.0, high: float = 1.0) -> float:
        return round(float(self.rng.uniform(low, high)), 5)

    def estimate(self, low: float = 0.1, high: float = 0.9, method: str = "bootstrap") -> Estimate:
        value, half = self.number(low, high), self.number(0.01, 0.09)
        return Estimate(value=value, low=value - half, high=value + half, method=method)

    def shares(self, values: list[str], method: str) -> dict[str, Estimate]:
        return {value: self.estimate(method=method) for value in values}

    def index(self, scale: float) -> Index:
        found = self.estimate(0.2 * scale, 0.9 * scale, method="fiducial interval")
        return Index(**found.model_dump(), raw=self.number(0, scale), null95=self.number(0, scale))

    def attribute(self, result: AttributeResult, *, prompts: int) -> AttributeResult:
        """All that is said of one attribute over all images."""
        values = list(result.shares)
        unbounded = self.index(6.0).model_copy(update={"high": None})
        spread = Estimate(value=self.number(0.05, 0.2), method="method of moments", reason=FEW_PROMPTS)
        several = {
            "bias_amplification": self.estimate(-0.2, 0.2, method="mean over prompts"),
            "across_prompts": {v: Spread(mean=self.estimate(), spread=spread) for v in values},
        }
        return result.model_copy(
            update={
                "shares": {v: self.simultaneous(share) for v, share in result.shares.items()},
                "p_bh": self.number(),
                "other_estimators": {
                    name: self.shares(values, f"{name} method") for name in ("raw", "soft", "em")
                },
                "indices": {key: self.index(scale) for key, scale in INDICES.items()}
                | {"max_min_ratio": unbounded},
                "equivalence": Equivalence(delta=0.1, p_value=self.number(), test="exact binomial TOST"),
                "thresholds": [
                    Threshold(
                        threshold=round(0.5 + 0.1 * i, 2),
                        labelled=1240 - 111 * i,
                        shares={v: None if i == 4 else self.number() for v in values},
                    )
                    for i in range(5)
                ],
                "transfer": Transfer(
                    p_value=self.number(), distance=self.number(), test="Kolmogorov–Smirnov", warning=False
                ),
                **(several if prompts > 1 else {}),
            }
        )

    def simultaneous(self, share: Share) -> Share:
        if share.low is None or share.high is None:
            return share
        ends = max(0.0, share.low - self.number(0, 0.02)), min(1.0, share.high + self.number(0, 0.02))
        return share.model_copy(update={"simultaneous": ends})

    def prompt(self, result: AttributeResult) -> AttributeResult:
        """What is said of one attribute and prompt."""
        amplified = {v: self.estimate(-0.3, 0.3, method="share minus plant") for v in result.planted or {}}
        return result.model_copy(update={"p_bh": self.number(), "amplification": amplified or None})

    def intersection(self, results: dict[str, AttributeResult]) -> Intersection:
        support = [list(result.shares) for result in results.values()]
        cells = [" | ".join(cell) for cell in product(*support)]
        weights = np.where(self.rng.random(len(cells)) < 0.1, 0.0, self.rng.dirichlet(np.ones(len(cells))))
        target = 1 / len(cells)
        shares = {
            cell: Share(
                value=round(float(weight), 5),
                low=round(max(0.0, float(weight) - 0.004), 5),
                high=round(float(weight) + self.number(0.004, 0.02), 5),
                method="score interval; not corrected: more than 20 combinations",
                raw=round(float(weight), 5),
            )
            for cell, weight in zip(cells, weights, strict=True)
        }
        least = cells[int(np.argmin(weights))]
        joint = self.estimate(0.1, 0.5, method="inversion")
        return Intersection(
            attributes=list(results),
            n=1187,
            cells=shares,
            target=dict.fromkeys(cells, target),
            fd=Discrepancy(**joint.model_dump(), raw=self.number(), null95=self.number()),
            marginal_fd={name: self.number() for name in results},
            p_value=self.number(),
            test="multinomial Monte Carlo",
            smallest=self.estimate(0.1, 0.4, method="inversion"),
            smallest_cell=least,
        )

    def sampler(self, name: str, sampler: SamplerResult) -> SamplerResult:
        several = len(sampler.prompts) > 1
        attributes = {
            a: self.attribute(result, prompts=len(sampler.prompts))
            for a, result in sampler.attributes.items()
        }
        told = name not in {"images", "baseline"}
        first = next(iter(attributes))
        crossed = dict(attributes)
        if len(crossed) == 1:
            crossed["age"] = attributes[first].model_copy(
                update={"shares": dict.fromkeys(ATTRIBUTES["age"].values, Share(value=0, method="", raw=0))}
            )
        probes = {
            "logistic regression": self.estimate(0.1, 0.5),
            "small neural network": self.estimate(0.1, 0.5),
        }
        return sampler.model_copy(
            update={
                "attributes": attributes,
                "prompts": {
                    text: answer.model_copy(
                        update={"attributes": {a: self.prompt(r) for a, r in answer.attributes.items()}}
                    )
                    for text, answer in sampler.prompts.items()
                }
                if several
                else sampler.prompts,
                "intersections": {" x ".join(crossed): self.intersection(crossed)},
                "obfuscation": {
                    first: Obfuscation(error=self.estimate(0.1, 0.5, method="held-out error"), probes=probes)
                }
                if told
                else {},
            }
        )

    def comparison(self, comparison: Comparison, results: Results) -> Comparison:
        attribute, _, metric = comparison.metric.rpartition(".")
        if not attribute or not metric.startswith("fd"):
            return comparison
        values = list(results.samplers[comparison.a].attributes[attribute].shares)
        kinds = [*values, "none"]
        changes = Changes(
            attribute=attribute,
            flips={a: {b: int(self.rng.integers(1000, 9999)) for b in kinds} for a in kinds},
            changed=self.estimate(method="Wilson score"),
            p_value=self.number(),
            test="exact McNemar" if len(values) == 2 else "Stuart–Maxwell",
            shares={v: self.estimate(-0.3, 0.3, method="paired bootstrap") for v in values},
        )
        return comparison.model_copy(update={"p_bh": self.number(), "changes": changes})

    def results(self, results: Results) -> Results:
        """Results with every optional field."""
        samplers = {name: self.sampler(name, sampler) for name, sampler in results.samplers.items()}
        first = next(iter(next(iter(samplers.values())).attributes))
        values = list(next(iter(samplers.values())).attributes[first].shares)
        return results.model_copy(
            update={
                "samplers": samplers,
                "comparisons": [self.comparison(item, results) for item in results.comparisons],
                "stopping": Stopping(
                    rule="half-width=0.05",
                    looks=4,
                    images=results.n,
                    planned=4 * results.n,
                    decided=True,
                    intervals={f"{first}.{v}": self.estimate(method="confidence sequence") for v in values},
                ),
            }
        )
