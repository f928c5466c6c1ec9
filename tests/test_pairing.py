"""Quality of two samplers or two runs, pair by pair, from stored features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairaudit.opened import Opened
from fairaudit.pairing import Pairs, compare_quality
from fairaudit.pairing_runs import PairedRuns
from fairaudit.plan import AuditPlan, SamplerPlan
from fairaudit.quality_networks import Network, networks_of
from fairaudit.real import Real
from fairaudit.results import Cost, Estimate, Results, SamplerResult
from fairaudit.store import Run

EYE = "dinov2"
TEXTS = ("a photo of a nurse", "a photo of a chef")


def table(seed: int, n: int = 30, scale: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(text, i, scale * rng.normal(size=4)) for text in TEXTS for i in range(n)]
    return pd.DataFrame(rows, columns=["prompt", "index", "feature"])


def network() -> Network:
    return Network(EYE, "self-supervised", EYE)


def compare(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, Estimate]:
    real = Real(features=np.random.default_rng(9).normal(size=(50, 4)))
    pairs = Pairs.of("a", "b", first, second)
    found = compare_quality(network(), pairs, real, level=0.05, seed=lambda _: 0)
    return {one.metric: one.difference for one in found}


def test_rows_are_paired_by_prompt_and_index_whatever_their_order() -> None:
    a, b = table(0), table(1, scale=1.3)
    found = compare(a, b)
    assert {f"frechet:{EYE}", f"kernel:{EYE}", f"density:{EYE}", f"recall:{EYE}"} <= set(found)
    shuffled = compare(a.sample(frac=1, random_state=0), b.sample(frac=1, random_state=1))
    assert shuffled == found
    fewer = compare(a, b[b["index"] < 20])
    assert "40 pairs" in fewer[f"frechet:{EYE}"].method
    assert compare(a.assign(prompt="a photo of a pilot"), b) == {}


def opened(folder: Path, name: str, seed: int, digest: str, weights: str = "0") -> Opened:
    """A finished run with features of two samplers' pictures, and those of its real pictures."""
    run = Run(folder / name)
    run.write_table(run.path("features", EYE, "baseline", "all"), table(seed))
    real = Run(run.folder / "reference" / digest)
    real.write_table(real.path("features", EYE, "real", "all"), table(9))
    quality = {
        key: Estimate(value=1.0, low=0.0, high=2.0, method="") for key in (f"frechet:{EYE}", f"kernel:{EYE}")
    }
    none = Cost(nfe_per_image=None, seconds_per_image=None, images_per_second=None, reason="-")
    sampler = SamplerResult(
        title="", parameters={}, attributes={}, prompts={}, quality=quality, utility={}, cost=none
    )
    results = Results(plan_digest="", generator="g", n=60, samplers={"baseline": sampler}, comparisons=[])
    plan = AuditPlan(
        generator="builtin:faces64",
        prompts=TEXTS,
        samplers=(SamplerPlan(name="baseline"),),
        extractors=(EYE,),
    )
    manifest = {"classifier": {f"features of {EYE}: w": weights, "calibration of gender": seed}}
    return Opened(name, run, plan, results, manifest)


def test_two_runs_are_paired_where_weights_and_real_images_are_the_same(tmp_path: Path) -> None:
    one, two = opened(tmp_path, "one", 0, "d"), opened(tmp_path, "two", 1, "d")
    paired = PairedRuns(one, two, 0.05)
    found = {c.metric: c for c in paired.of("baseline", "baseline")}
    assert paired.notes == []
    distance = found[f"frechet:{EYE}"]
    assert (distance.a, distance.b, distance.paired) == ("two/baseline", "one/baseline", True)
    assert "the same random half-samples of 60 pairs" in distance.difference.method
    same = PairedRuns(one, one, 0.05).of("baseline", "baseline")
    assert {(c.difference.value, c.p_value) for c in same} == {(0.0, 1.0)}


def test_other_weights_or_real_images_are_no_pairs(tmp_path: Path) -> None:
    one = opened(tmp_path, "one", 0, "d")
    other = opened(tmp_path, "weights", 1, "d", weights="1")
    assert list(PairedRuns(one, other, 0.05).of("baseline", "baseline")) == []
    elsewhere = PairedRuns(one, opened(tmp_path, "real", 1, "e"), 0.05)
    assert list(elsewhere.of("baseline", "baseline")) == []
    assert elsewhere.notes == [
        "Quality is compared by intervals only: the runs were measured against different real images."
    ]


@pytest.mark.parametrize(
    ("keys", "kinds"),
    [
        (["fid", "kid"], {("inception", "inception")}),
        (["fid:inception-legacy"], {("inception-legacy", "inception")}),
        (["clip_fid:clip:a/b", "cmmd:clip:a/b"], {("clip:a/b", "clip")}),
        (["frechet:builtin:faces64-classifier"], {("builtin:faces64-classifier", None)}),
    ],
)
def test_networks_are_read_off_the_measures(keys: list[str], kinds: set[tuple[str, str | None]]) -> None:
    plan = AuditPlan(generator="builtin:faces64", prompts=TEXTS)
    assert {(one.name, one.kind) for one in networks_of(plan, keys)} == kinds
