"""Results with every kind of number that there is, under the sampler `switching`."""

from __future__ import annotations

from fairaudit.effects import Collateral, Diversity, Downstream, Downstreams, Flips
from fairaudit.metrics.titles import METRICS
from fairaudit.results import Agreement, Consensus, Estimate, Human, HumanShare, Results, ValueQuality
from tests.reports.sample import sample_report


def everything() -> Results:
    """Results of all kinds of measures that there are."""
    results = sample_report(attributes=("gender", "race"), rich=True).results
    one = Estimate(value=0.5, low=0.4, high=0.6, method="")
    agreed = Agreement(
        raters=["a", "b"],
        images=9,
        percent=one,
        kappa=one,
        alpha=one,
        consensus=Consensus(shares={}, changed=0),
    )
    share = HumanShare(**one.model_dump(), alone=one, narrower=0.1)
    human = Human(annotators=["x"], draw="random", images=9, known=9, shares={"female": share}, machine=one)
    flips = Flips(all_images=one, where_changed=one, where_kept=one, difference=one)
    learnt = {"features": "", "sensitive": "race", "train": 9, "test": 9, "accuracy": one}
    learnt |= {"demographic_parity": one, "equalised_odds": one}
    utility = {f"gender.{key}" if key == "unchanged" else key: one for key in METRICS}
    changes = {
        "quality": {**utility, "frechet:network": one},
        "agreement": {"gender": agreed},
        "human": {"gender": human},
        "collateral": Collateral(debiased=["gender"], changed=1, kept=1, flips={"age": flips}),
        "diversity": {"gender": {"female": Diversity(**one.model_dump(), n=9)}},
        "quality_by_value": {
            "gender": {"fid": ValueQuality(values={}, images={}, gap=one, between=("female", "male"))}
        },
    }
    attributes = {
        name: found.model_copy(update={"directional_amplification": one})
        for name, found in results.samplers["switching"].attributes.items()
    }
    cost = results.samplers["switching"].cost.model_copy(update={"peak_memory": one})
    rich = results.samplers["switching"].model_copy(update=changes | {"attributes": attributes, "cost": cost})
    down = Downstreams(samplers={"switching": Downstream(**learnt)}, real=Downstream(**learnt), truth=one)
    return results.model_copy(
        update={"samplers": {**results.samplers, "switching": rich}, "downstream": {"gender": down}}
    )
