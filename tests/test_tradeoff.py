"""The trade-off: fronts, what is shown to be dominated, and how often that is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairaudit.gaps import chance_apart, chance_lower
from fairaudit.results import Comparison, Cost, Estimate, Results, SamplerResult
from fairaudit.statistics.means import mean_interval
from fairaudit.statistics.paired import paired_fd_difference
from fairaudit.tradeoff import front, p_dominated, with_tradeoffs
from tests.reports.sample import attribute_result, sample_report

LEVEL = 0.05
points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8)


@given(points)
def test_the_front_is_what_no_other_point_dominates(found):
    x, y = zip(*found, strict=True)
    on = front(x, y)
    assert on.any()
    for (a, b), kept in zip(found, on, strict=True):
        beaten = any(p <= a and q <= b and (p, q) != (a, b) for p, q in found)
        assert kept == (not beaten)


@given(points, st.integers(1, 3), st.integers(-4, 4))
def test_scale_and_shift_leave_the_front(found, scale, shift):
    x, y = map(np.array, zip(*found, strict=True))
    assert front(x, y).tolist() == front(scale * x + shift, y).tolist() == front(y, x).tolist()


@given(points, st.floats(0, 0.5))
def test_what_is_within_the_slack_does_not_keep_a_point_on_the_front(found, slack):
    x, y = map(np.array, zip(*found, strict=True))
    on = front(x, y, slack)
    assert on.any()
    assert not on[x > x.min()][y[x > x.min()] == y[x == x.min()].min()].any()
    assert front(x, 100 + y * 0.1, 0.05).tolist() == (x == x.min()).tolist()


def test_seconds_that_differ_by_noise_put_nobody_on_the_front():
    results = made([0.1, 0.2, 0.3], {}, evaluations=[40, 40, 20])
    for name, seconds in {"s0": 0.412, "s1": 0.401, "s2": 0.21}.items():
        results.samplers[name].cost.seconds_per_image = seconds
    by = {one.metric: one.front for one in with_tradeoffs(results, LEVEL).tradeoffs}
    assert by == {"nfe_per_image": ["s0", "s2"], "seconds_per_image": ["s0", "s2"]}
    results.samplers["s1"].cost.seconds_per_image = 0.38  # 8 % less
    by = {one.metric: one.front for one in with_tradeoffs(results, LEVEL).tradeoffs}
    assert by["seconds_per_image"] == ["s0", "s1", "s2"]


def test_both_directions_must_be_shown():
    first = [[1, 0.001, 0.02], [1, 1, 1], [1, 1, 1]]
    second = [[1, 0.004, 0.6], [1, 1, 1], [0.0001, 1, 1]]
    found = p_dominated(first, second)
    # Of two that could dominate the first, the larger of both p-values counts, twice for being one of two.
    assert found[0, 1] == pytest.approx(2 * 0.004)
    assert found[0, 2] == pytest.approx(0.6)
    assert found[2, 0] == 1


def estimate(value: float, half: float = 0.0) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, method="made")


def test_intervals_that_just_part_are_worth_half_the_level():
    assert chance_apart(estimate(0, 1), estimate(2, 1), LEVEL) == pytest.approx(LEVEL / 2)
    assert chance_apart(estimate(0, 1), estimate(1.9, 1), LEVEL) > LEVEL / 2
    assert chance_apart(estimate(2, 1), estimate(0, 1), LEVEL) == 1
    assert chance_apart(estimate(0), estimate(1), LEVEL) == 1  # no width: nothing is known of the error
    assert chance_lower(estimate(-2, 1), 0.02, LEVEL) == 0.01
    assert chance_lower(estimate(-2, 3), 0.02, LEVEL) == 1
    assert chance_lower(estimate(2, 1), 0.02, LEVEL) == 1


def made(
    fds: list[float],
    numbers: dict[str, list[Estimate]],
    comparisons: list[Comparison] | None = None,
    evaluations: list[float | None] | None = None,
) -> Results:
    """Samplers s0, s1, ... with these discrepancies and numbers."""
    samplers = {}
    for i, fd in enumerate(fds):
        attribute = attribute_result("gender", 0.5)
        attribute = attribute.model_copy(update={"fd": attribute.fd.model_copy(update={"value": fd})})
        samplers[f"s{i}"] = SamplerResult(
            title="", parameters={}, attributes={"gender": attribute}, prompts={},
            quality={key: values[i] for key, values in numbers.items()}, utility={},
            cost=Cost(nfe_per_image=evaluations[i] if evaluations else None, seconds_per_image=None,
                      images_per_second=None, reason="not timed"),
        )  # fmt: skip
    return Results(
        schema=1, plan_digest="", generator="g", n=100, samplers=samplers, comparisons=comparisons or []
    )


def differ(a: str, b: str, difference: Estimate, p: float | None, metric: str = "gender.fd") -> Comparison:
    return Comparison(metric=metric, a=a, b=b, difference=difference, p_value=p, test="paired")


def test_what_one_run_says():
    comparisons = [
        differ("s1", "s0", estimate(-0.2, 0.05), 0.0005),
        differ("s2", "s0", estimate(-0.1, 0.05), 0.0005),
        differ("s2", "s1", estimate(0.1, 0.15), 0.2),
    ]
    results = made(
        [0.3, 0.1, 0.2],
        {"fid": [estimate(30, 2), estimate(20, 2), estimate(19, 2)], "density": [estimate(0.5, 0.1)] * 3},
        comparisons,
        [40, 40, 60],
    )
    found = with_tradeoffs(results, LEVEL)
    by = {one.metric: one for one in found.tradeoffs}
    assert list(by) == ["fid", "density", "nfe_per_image"]
    assert by["fid"].front == ["s1", "s2"]
    # The comparison was stored as s1 minus s0; FID goes by intervals that are apart.
    assert set(by["fid"].dominated) == {"s0"}
    assert by["density"].dominated == {}
    # 40 evaluations are no more than 40, which is known; and s1 is shown to be fairer.
    assert by["nfe_per_image"].dominated["s0"].by == "s1"
    assert "s2" not in by["nfe_per_image"].dominated
    (choice,) = found.choices
    assert (choice.fairest, choice.not_less_fair) == ("s1", ["s2"])
    assert (choice.metric, choice.best, choice.not_worse) == ("fid", "s2", ["s1"])
    assert choice.cheapest == ["s1"]
    assert results.digest != found.digest
    assert "tradeoffs" not in results.model_dump(exclude_defaults=True)


def test_a_paired_difference_counts_more_than_intervals_that_meet():
    fid = [estimate(30, 5), estimate(25, 5)]
    fairness = differ("s1", "s0", estimate(-0.2, 0.05), 0.0005)
    paired = differ("s0", "s1", estimate(5, 1), 0.001, "quality.fid")
    apart = with_tradeoffs(made([0.3, 0.1], {"fid": fid}, [fairness]), LEVEL)
    beside = with_tradeoffs(made([0.3, 0.1], {"fid": fid}, [fairness, paired]), LEVEL)
    assert apart.tradeoffs[0].dominated == {}
    assert beside.tradeoffs[0].dominated["s0"].by == "s1"


def test_at_a_level_of_0_nothing_is_shown():
    results = sample_report().results
    found = with_tradeoffs(results, 0.0)
    assert not any(one.dominated for one in found.tradeoffs)
    assert [one.front for one in found.tradeoffs] == [one.front for one in results.tradeoffs]
    (choice,) = found.choices
    assert {choice.fairest, *choice.not_less_fair} == set(results.samplers)


def test_missing_numbers_are_left_out_and_one_sampler_has_no_trade_off():
    missing = sample_report(missing=True).results
    assert (missing.tradeoffs, missing.choices) == ([], [])
    alone = sample_report(samplers=("baseline",)).results
    assert (alone.tradeoffs, alone.choices) == ([], [])


def test_measured_seconds_are_no_part_of_the_digest():
    results = sample_report().results
    slower = results.model_copy(deep=True)
    slower.samplers["switching"].cost.seconds_per_image = 9.0
    slower = with_tradeoffs(slower, LEVEL)
    assert slower.tradeoffs != results.tradeoffs
    assert slower.digest == results.digest


@pytest.mark.parametrize("truth", ["equally fair", "equally good"])
def test_a_sampler_that_is_not_dominated_is_seldom_called_so(truth):
    """The least favourable case: three rivals far better in one direction, and just as good in the other.

    Images are drawn, and the run's own paired difference and interval judge them.
    """
    rng, n, called, turns = np.random.default_rng(5), 120, 0, 250
    for turn in range(turns):
        shares = [0.7] * 4 if truth == "equally fair" else [0.85, 0.55, 0.55, 0.55]
        means = [0.0, 2.0, 2.0, 2.0] if truth == "equally fair" else [0.0] * 4
        noise = rng.uniform(size=n)
        own = np.where(rng.random((4, n)) < 0.5, noise, rng.uniform(size=(4, n)))
        labels = (own < np.array(shares)[:, None]).astype(int)
        scores = rng.normal(np.array(means)[:, None], 1, (4, n)) + noise
        comparisons = []
        for i in range(1, 4):
            paired = paired_fd_difference(
                labels[i], labels[0], np.zeros(n), [0.5, 0.5], replicates=400, seed=turn
            )
            comparisons.append(differ(f"s{i}", "s0", paired.difference, paired.p_value))
        fds = [float(np.hypot(x - 0.5, x - 0.5)) for x in labels.mean(axis=1)]
        density = [mean_interval(row, replicates=400, seed=turn) for row in scores]
        found = with_tradeoffs(made(fds, {"density": density}, comparisons), LEVEL)
        called += "s0" in found.tradeoffs[0].dominated
    # 5 % and what 250 turns may add by chance.
    assert called <= stats.binom.isf(0.001, turns, LEVEL)


def test_a_sampler_that_is_dominated_is_found():
    comparisons = [differ(f"s{i}", "s0", estimate(-0.2, 0.04), 0.0005) for i in range(1, 30)]
    # Thirty samplers of a sweep, and the smallest p-value that 2000 replicates give.
    results = made([0.3] + [0.1] * 29, {"fid": [estimate(30, 1)] + [estimate(20, 1)] * 29}, comparisons)
    assert "s0" in with_tradeoffs(results, LEVEL).tradeoffs[0].dominated
