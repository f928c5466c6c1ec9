"""What a run's stored features and labels say of prompts, of other attributes, and of diversity."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from fairaudit import preserving
from fairaudit.collateral import collateral_of
from fairaudit.costs import cost_of
from fairaudit.diversities import diversities_of
from fairaudit.errors import UsageError
from fairaudit.estimates import Estimate, size_of
from fairaudit.extracting import TextExtractor, open_extractor
from fairaudit.gating import judge, parse_rule
from fairaudit.learning import downstreams_of, open_real
from fairaudit.metrics.utility import pixel_mse
from fairaudit.obeying import compare_obedience, obedience_of
from fairaudit.plan import AuditPlan, MeasurementPlan, SamplerPlan
from fairaudit.results import Cost, Results, SamplerResult, ValueQuality
from fairaudit.store import Run, Unit, png

PROMPTS = tuple(f"a photo of a {{attribute}} {job}" for job in ("nurse", "chef", "pilot"))
TEXTS = ("a photo of a chef", "a photo of a nurse", "a photo of a pilot")
CLASSIFIER = SimpleNamespace(
    name="reader", values={"gender": ("female", "male"), "age": ("young", "old"), "race": ("a", "b")}
)


class Eye:
    """Texts are the axes of a space, and pictures lie where the test puts them."""

    name, kind = "eye", "clip"

    def __init__(self, unknown=()):
        self.unknown = list(unknown)

    def features(self, images):
        return np.stack([[i.mean(), 255 - i.mean(), 1] for i in images]).astype(np.float32)

    def fingerprint(self):
        return {}

    def text_features(self, texts):
        return np.eye(3, dtype=np.float32)[[TEXTS.index(text) for text in texts]]

    def unknown_words(self, texts):
        return self.unknown


def plan_of(**measurement):
    samplers = (SamplerPlan(name="baseline"), SamplerPlan(name="switching"))
    settings = MeasurementPlan(replicates=400, **measurement)
    made = {"prompts": PROMPTS, "samplers": samplers, "measurement": settings, "extractors": ("eye",)}
    return AuditPlan(generator="builtin:faces64", **made)


def results_of(cost):
    sampler = {"title": "", "parameters": {}, "attributes": {}, "prompts": {}, "quality": {}, "utility": {}}
    return Results(
        plan_digest="", generator="", n=1, comparisons=[], samplers={"a": SamplerResult(**sampler, cost=cost)}
    )


def store(run, sampler, rows):
    """Features by prompt and index."""
    table = pd.DataFrame(rows, columns=["prompt", "index", "feature"])
    run.write_table(run.path("features", "eye", sampler, "all"), table)


def keys(n):
    return [(text, index) for text in TEXTS for index in range(n)]


def labels_of(n, **columns):
    table = pd.DataFrame(keys(n), columns=["prompt", "index"])
    return table.assign(outcome="labelled", **columns)


def test_a_sampler_that_forgets_a_prompt_is_found_out(tmp_path):
    run, plan, n = Run(tmp_path), plan_of(), 20
    own = dict(zip(TEXTS, np.eye(3), strict=True))
    store(run, "baseline", [(t, i, own[t] * 2) for t, i in keys(n)])
    store(run, "switching", [(t, i, own[TEXTS[0]] if t == TEXTS[1] else own[t]) for t, i in keys(n)])
    labels = {name: labels_of(n) for name in ("baseline", "switching")}
    (found,) = obedience_of(run, plan, [Eye()], labels)
    assert found.estimates(plan, "baseline")["clip_score:eye"].value == pytest.approx(100)
    assert found.estimates(plan, "baseline")["prompt_survival:eye"].value == 1
    survival = found.estimates(plan, "switching")["prompt_survival:eye"]
    assert survival.value == pytest.approx(2 / 3)
    assert "among 3 prompts, chance 0.333" in survival.method
    changes = {c.metric: c for c in compare_obedience(plan, [found], "baseline")}
    assert changes["clip_score:eye"].difference.value == pytest.approx(-100 / 3)
    assert changes["prompt_survival:eye"].p_adjusted < 0.05
    assert changes["prompt_survival:eye"].paired


def test_words_that_a_network_never_learnt_are_no_measure(tmp_path):
    run, plan = Run(tmp_path), plan_of()
    labels = {name: labels_of(2) for name in ("baseline", "switching")}
    (found,) = obedience_of(run, plan, [Eye(unknown=["nurse"])], labels)
    for estimate in found.estimates(plan, "switching").values():
        assert estimate.value is None
        assert "never learnt words of the prompts (nurse)" in estimate.reason
    assert compare_obedience(plan, [found], "baseline") == []


def test_the_built_in_clip_says_which_words_it_never_learnt():
    clip = open_extractor("builtin:faces64-clip", torch.device("cpu"))
    assert isinstance(clip, TextExtractor)
    assert clip.unknown_words(["a photo of a Nurse", "the face of an elderly black woman"]) == ["nurse"]
    assert clip.unknown_words(["a portrait of a middle-aged person"]) == []


def test_flips_are_told_apart_by_what_was_debiased():
    n = 30
    before = labels_of(n, gender="female", age="young", race="a")
    after = before.copy()
    changed = after["index"] < 12
    after.loc[changed, "gender"] = "male"
    after.loc[after["index"] < 6, "age"] = "old"
    after.loc[after["index"] == 29, "gender"] = None
    found = collateral_of(
        plan_of(), CLASSIFIER, sampler="switching", baseline="baseline",
        labels={"baseline": before, "switching": after},
    )  # fmt: skip
    assert (found.debiased, found.changed, found.kept) == (["gender"], 36, 51)
    age, race = found.flips["age"], found.flips["race"]
    assert age.where_changed.value == pytest.approx(0.5)
    assert age.where_kept.value == 0
    assert age.all_images.value == pytest.approx(0.2)
    assert age.difference.low > 0
    assert race.all_images.value == 0
    results = results_of(Cost(nfe_per_image=40, seconds_per_image=None, images_per_second=None, reason="-"))
    results.samplers["a"].collateral = found
    said = [one.outcome for one in judge(results, [parse_rule("age.flips_where_kept <= 0.1")])]
    said += [one.outcome for one in judge(results, [parse_rule("age.flips_where_changed <= 0.1")])]
    said += [one.outcome for one in judge(results, [parse_rule("nfe_per_image <= 40")])]
    assert said == ["passed", "failed", "passed"]
    nothing = collateral_of(plan_of(), CLASSIFIER, sampler="baseline", baseline="baseline", labels={})
    assert nothing is None


def test_pictures_are_paired_unit_by_unit_and_never_all_in_memory(tmp_path, monkeypatch):
    run, plan, n = Run(tmp_path), plan_of(), 6
    at_once = []
    monkeypatch.setattr(preserving, "find_asset", lambda name: None)
    monkeypatch.setattr(preserving, "pixel_mse", lambda a, b: at_once.append(len(a)) or pixel_mse(a, b))
    for sampler, light in (("baseline", 0), ("switching", 51)):
        for prompt, text in enumerate(TEXTS):
            images = np.full((n, 4, 4, 3), 100, np.uint8)
            images[0] += light  # a fifth of white, in one image of every prompt
            run.write_samples(sampler, Unit(prompt, 0, tuple(range(n))), images, text, [None] * n)
        rows = [(text, index, [1.0, 0]) for text, index in keys(n)]
        table = pd.DataFrame(rows, columns=["prompt", "index", "feature"])
        run.write_table(run.path("features", "reader", sampler, "all"), table)
    labels = labels_of(n, gender="female", age="young", race="a")
    tables = {"baseline": labels, "switching": labels.sample(frac=1, random_state=0)}
    pair = {"sampler": "switching", "baseline": "baseline", "labels": tables}
    found = preserving.utility_of(run, plan, CLASSIFIER, **pair)
    assert found["pixel_mse"].value == pytest.approx(0.2**2 / n)
    assert at_once == [n] * len(TEXTS)
    assert found["feature_cosine"].value == 1
    # All 18 are the same; a bootstrap would call that certain.
    assert found["content.unchanged"].low == pytest.approx(18 / (18 + 1.96**2), abs=1e-3)
    assert found["paired_lpips"].reason


def test_perceptual_distances_are_kept_and_those_of_other_pictures_or_weights_are_not_taken_for_them(
    tmp_path, monkeypatch
):
    run, plan, n = Run(tmp_path / "run"), plan_of(), 4
    plan = plan.model_copy(update={"samplers": (*plan.samplers, SamplerPlan(name="mixing"))})
    weights, measured = tmp_path / "alexnet.pth", []

    def distance(a, b, path):
        measured.append(path.read_text())
        scale = float(path.read_text())
        return np.array([scale * (x.mean() / 3 - y.mean() / 7) for x, y in zip(a, b, strict=True)])

    monkeypatch.setattr(preserving, "find_asset", lambda name: weights)
    monkeypatch.setattr(preserving, "lpips_distance", distance)
    rng = np.random.default_rng(0)
    for sampler in ("baseline", "switching", "mixing"):
        for prompt, text in enumerate(TEXTS):
            images = rng.integers(0, 256, (n, 4, 4, 3), dtype=np.uint8)
            run.write_samples(sampler, Unit(prompt, 0, tuple(range(n))), images, text, [None] * n)
        table = pd.DataFrame([(t, i, [1.0, 0]) for t, i in keys(n)], columns=["prompt", "index", "feature"])
        run.write_table(run.path("features", "reader", sampler, "all"), table)
    labels = labels_of(n, gender="female", age="young", race="a")
    tables = dict.fromkeys(("baseline", "switching", "mixing"), labels)

    def of(sampler="switching", baseline="baseline"):
        pair = {"sampler": sampler, "baseline": baseline, "labels": tables}
        return preserving.utility_of(run, plan, CLASSIFIER, **pair)["paired_lpips"]

    weights.write_text("1")
    first = of()
    assert len(measured) == 3
    assert of() == first  # to the last digit
    assert len(measured) == 3
    run.path("distances", preserving.distance_key(weights), "switching", "baseline", "p0001-b00000").unlink()
    assert of() == first
    assert len(measured) == 4
    assert of(baseline="mixing").value != first.value
    weights.write_text("2.0")
    assert of().value == pytest.approx(2 * first.value)
    assert measured[4:] == ["1"] * 3 + ["2.0"] * 3


@pytest.mark.parametrize("sign", [1, -1])
def test_a_gate_on_a_gap_does_not_care_which_value_is_worse(sign):
    results, ends = (
        results_of(Cost(nfe_per_image=1, seconds_per_image=None, images_per_second=None)),
        (15, 25),
    )
    low, high = sorted(sign * end for end in ends)
    gap = Estimate(value=20 * sign, low=low, high=high, method="")
    by_value = ValueQuality(values={}, images={}, gap=gap, between=("female", "male"))
    results.samplers["a"].quality_by_value = {"gender": {"fid": by_value}}
    rules = [parse_rule(f"gender.gap.fid <= {limit}") for limit in (10, 20, 25)]
    said = [one.outcome for one in judge(results, rules)]
    assert said == ["failed", "not enough evidence", "passed"]
    wide = size_of(Estimate(value=1, low=-2, high=4, method=""))
    assert (wide.value, wide.low, wide.high) == (1, 0, 4)


def test_diversity_is_compared_at_equal_numbers(tmp_path):
    run, plan, rng = Run(tmp_path), plan_of(), np.random.default_rng(0)
    store(run, "baseline", [(t, i, rng.normal(size=3)) for t, i in keys(10)])
    store(run, "switching", [(t, i, np.array([1.0, 0, 0])) for t, i in keys(10)])
    labels = {
        "baseline": labels_of(10, gender=["female"] * 18 + ["male"] * 12),
        "switching": labels_of(10, gender=["female"] * 15 + ["male"] * 15),
    }
    found = diversities_of(run, plan, CLASSIFIER, [Eye()], labels)
    assert found["switching"]["gender"]["female"].value == pytest.approx(1)
    assert found["baseline"]["gender"]["female"].value > 2
    assert [found[name]["gender"]["female"].n for name in labels] == [15, 15]
    assert [found[name]["gender"]["male"].n for name in labels] == [12, 12]
    assert found["switching"]["gender"]["male"].value == pytest.approx(1)


@pytest.fixture
def real(tmp_path):
    """Bright pictures are of the young, and the old are told by nothing else."""
    folder, rng = tmp_path / "real", np.random.default_rng(1)
    folder.mkdir()
    rows = []
    for number in range(240):
        old = number % 2
        level = int(np.clip(rng.normal(160 - 80 * old, 25), 0, 255))
        (folder / f"{number}.png").write_bytes(png(np.full((8, 8, 3), level, np.uint8)))
        rows.append((f"{number}.png", "Female" if number % 4 < 2 else "Male", "old" if old else "young"))
    pd.DataFrame(rows, columns=["file", "gender", "age"]).to_csv(folder / "labels.csv", index=False)
    return folder


def test_what_is_learnt_from_pictures_is_tested_on_real_ones(tmp_path, real):
    run, plan, n = Run(tmp_path / "run"), plan_of(downstream=str(real)), 30
    old = np.arange(3 * n) % 2
    level = 160.0 - 80 * old
    noise = np.random.default_rng(2).normal(0, 25, size=3 * n)
    right = [(t, i, [a, 255 - a, 1.0]) for (t, i), a in zip(keys(n), level + noise, strict=True)]
    wrong = [(t, i, [a, 255 - a, 1.0]) for (t, i), a in zip(keys(n), 240 - level + noise, strict=True)]
    store(run, "baseline", right)
    store(run, "switching", wrong)
    labels = labels_of(n, age=np.where(old, "old", "young"), gender="female")
    tables = {"baseline": labels, "switching": labels}
    found = downstreams_of(run, plan, CLASSIFIER, [Eye()], tables)
    assert list(found) == ["age"]
    learnt = found["age"].samplers
    # Gaussians 80 apart with deviation 25: a threshold halfway is right with chance Phi(1.6) = 0.945.
    assert learnt["baseline"].accuracy.value == pytest.approx(0.945, abs=0.12)
    assert learnt["switching"].accuracy.value < 0.25
    assert found["age"].real.accuracy.value > 0.8
    assert (learnt["baseline"].train, learnt["baseline"].test) == (90, 120)
    assert found["age"].truth.value < 0.6
    assert downstreams_of(run, plan, CLASSIFIER, [Eye()], tables) == found
    blind = downstreams_of(run, plan, CLASSIFIER, [], tables)["age"].real.accuracy
    assert (blind.value, "--extractor" in blind.reason) == (None, True)


def test_real_pictures_must_tell_whose_groups_are_compared(real):
    table = pd.read_csv(real / "labels.csv").drop(columns="gender")
    table.to_csv(real / "labels.csv", index=False)
    with pytest.raises(UsageError, match="must give the true gender"):
        open_real(plan_of(downstream=str(real)), CLASSIFIER)


def test_memory_is_measured_but_no_part_of_the_digest(tmp_path):
    run, unit = Run(tmp_path), Unit(0, 0, (0, 1))
    run.write_cost("baseline", unit, 40, 1.0, (3 * 2**20, "peak of something"))
    run.write_cost("baseline", Unit(0, 1, (2, 3)), 40, 1.0, (5 * 2**20, "peak of something"))
    run.write_cost("switching", unit, 40, 1.0)
    memory = cost_of(run, "baseline").peak_memory
    assert (memory.value, memory.method) == (5, "peak of something")
    assert cost_of(run, "switching").peak_memory.reason == "memory was not measured here"
    results = [results_of(cost_of(run, name)) for name in ("baseline", "switching")]
    assert results[0].digest == results[1].digest
