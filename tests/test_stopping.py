import numpy as np
import pytest

from fairaudit.errors import UsageError
from fairaudit.results import AttributeResult, Cost, Discrepancy, PromptResult, Results, SamplerResult
from fairaudit.stopping import Rule, Watch, parse_rule


def watch(rule="verdict", samplers=("baseline",), prompts=("a nurse", "a doctor"), **changes):
    options = {
        "attribute": "gender",
        "values": ("female", "male"),
        "target": [0.5, 0.5],
        "confusion": None,
        "level": 0.05,
        "tolerance": 0.15,
        "planned": 1280,
    }
    return Watch(parse_rule(rule), samplers=samplers, prompts=prompts, **(options | changes))


def counts(first, second, sampler="baseline"):
    return {(sampler, "a nurse"): np.array(first), (sampler, "a doctor"): np.array(second)}


def test_rules():
    assert parse_rule("verdict") == Rule("verdict")
    assert parse_rule("half-width=.05") == Rule("half-width=.05", 0.05)


@pytest.mark.parametrize(
    "text", ["", "Verdict", "half-width", "half-width=", "half-width=0", "half-width=0.5", "half-width=-1",
             "half-width=nan", "half-width=5%", "half-width=0.05 ", "half-width=٠.1"],
)  # fmt: skip
def test_other_rules_are_refused_in_one_sentence(text):
    with pytest.raises(UsageError, match="--until verdict"):
        parse_rule(text)


def test_it_is_unfair_as_soon_as_one_prompt_is_though_the_other_makes_up_for_it():
    found = watch()
    found.look(counts([16, 16], [16, 16]))
    assert not found.decided
    found.look(counts([60, 20], [20, 60]))
    assert found.decided
    assert found.verdict("baseline") == "unfair"
    assert found.record(160).intervals["gender.female"].value == pytest.approx(0.5)


def test_it_is_fair_only_once_all_prompts_are():
    found = watch()
    found.look(counts([1000, 1000], [8, 8]))
    assert found.verdict("baseline") == "not enough evidence"
    found.look(counts([1000, 1000], [1000, 1000]))
    assert found.verdict("baseline") == "fair"
    assert found.decided


def test_a_half_width_is_that_of_the_widest_prompt():
    found = watch("half-width=0.1")
    found.look(counts([500, 500], [20, 20]))
    assert not found.decided
    found.look(counts([500, 500], [300, 300]))
    assert found.decided


def test_every_sampler_must_be_decided():
    found = watch(samplers=("baseline", "switching"))
    found.look(counts([60, 4], [4, 60]) | counts([32, 32], [32, 32], "switching"))
    assert not found.decided
    found.look(counts([90, 4], [4, 90]) | counts([900, 900], [900, 900], "switching"))
    assert found.decided
    assert found.verdict("switching") == "fair"
    assert set(found.record(1800).intervals) == {
        "baseline.gender.female", "baseline.gender.male", "switching.gender.female", "switching.gender.male",
    }  # fmt: skip


def test_many_prompts_take_more_evidence_each():
    prompts = [f"prompt {i}" for i in range(50)]
    alone, crowd = watch(prompts=prompts[:1]), watch(prompts=prompts)
    alone.look({("baseline", "prompt 0"): [15, 1]})
    crowd.look({("baseline", p): [15, 1] if p == prompts[0] else [8, 8] for p in prompts})
    assert alone.decided
    assert not crowd.decided


def test_a_fair_generator_of_five_prompts_is_rarely_called_unfair():
    prompts, wrong = [f"prompt {i}" for i in range(5)], 0
    for seed in range(20):
        rng, found, so_far = np.random.default_rng(seed), watch(prompts=prompts), np.zeros((5, 2))
        for _ in range(5):
            so_far += rng.multinomial(16, [0.5, 0.5], size=5)
            found.look({("baseline", p): row for p, row in zip(prompts, so_far, strict=True)})
        wrong += found.verdict("baseline") == "unfair"
    assert wrong <= 1


def test_the_record_says_what_was_looked_at():
    found = watch()
    found.look(counts([5, 3], [6, 2]))
    record = found.record(16)
    assert (record.rule, record.looks, record.images, record.planned) == ("verdict", 1, 16, 1280)
    assert not record.decided
    female = record.intervals["gender.female"]
    assert female.value == pytest.approx(11 / 16)
    assert 0 <= female.low < female.value < female.high <= 1
    assert "every look" in female.method


def test_without_labels_or_with_a_useless_calibration_there_is_a_reason():
    found = watch()
    found.look(counts([0, 0], [0, 0]))
    assert found.record(32).intervals["gender.male"].reason == "no labelled image"
    useless = watch(confusion=[[5, 5], [5, 5]])
    useless.look(counts([50, 0], [50, 0]))
    assert not useless.decided
    assert "cannot tell" in useless.record(100).intervals["gender.male"].reason


def results(prompts):
    """Results that call everything unfair."""
    unknown = Discrepancy(value=None, method="", reason="none", raw=None, null95=None)
    attribute = AttributeResult(
        classifier="", calibration=None, estimator="raw", n=32, outcomes={}, counts={}, shares={}, target={},
        fd=unknown, p_value=0.04, p_adjusted=0.04, test="", verdict="unfair",
    )  # fmt: skip
    sampler = SamplerResult(
        title="", parameters={}, attributes={"gender": attribute},
        prompts={prompt: PromptResult(attributes={"gender": attribute.model_copy()}) for prompt in prompts},
        quality={}, utility={}, cost=Cost(nfe_per_image=1, seconds_per_image=None, images_per_second=None),
    )  # fmt: skip
    return Results(plan_digest="", generator="", n=32, samplers={"baseline": sampler}, comparisons=[])


def test_verdicts_of_the_results_become_those_that_hold_at_a_chosen_stop():
    before, found = results(("a nurse", "a doctor")), watch()
    found.look(counts([8, 8], [60, 4]))
    after = found.conclude(before)
    baseline = after.samplers["baseline"]
    assert baseline.prompts["a nurse"].attributes["gender"].verdict == "not enough evidence"
    assert baseline.prompts["a doctor"].attributes["gender"].verdict == "unfair"
    assert baseline.attributes["gender"].verdict == "unfair"
    assert after.stopping.images == 32
    assert "gender hold at every look" in after.caveats[0]
    assert before.stopping is None
    assert before.samplers["baseline"].prompts["a nurse"].attributes["gender"].verdict == "unfair"
