import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairaudit.statistics.detection import alternatives, exact_power
from fairaudit.statistics.power import images_for_discrepancy, images_for_half_width, symmetric_confusion
from fairaudit.statistics.shares import estimate_shares, wilson
from fairaudit.statistics.tests import goodness_of_fit


def audit(shares, n, accuracy, faces, rng):
    """Counts, and a calibration drawn anew."""
    rates = np.eye(len(shares)) if accuracy is None else symmetric_confusion(len(shares), accuracy, 1)
    counts = rng.multinomial(n, shares @ rates)
    return counts, None if accuracy is None else rng.multinomial(faces, rates, size=len(shares))


def known(k, accuracy, faces):
    return None if accuracy is None else symmetric_confusion(k, accuracy, faces)


@pytest.mark.parametrize(
    ("shares", "half_width", "accuracy", "faces"),
    [
        ([0.5, 0.5], 0.05, None, 0),
        ([0.5, 0.5], 0.05, 0.9, 1000),
        ([0.5, 0.5], 0.1, 0.75, 500),
        ([0.9, 0.1], 0.05, 0.9, 1000),
        ([0.98, 0.02], 0.1, 0.9, 200),
        ([1 / 7] * 7, 0.05, 0.9, 200),
    ],
)
def test_planned_images_give_the_half_width_of_real_intervals(shares, half_width, accuracy, faces):
    shares, rng, halves = np.array(shares), np.random.default_rng(1), []
    plan = images_for_half_width(half_width, shares, known(len(shares), accuracy, faces))
    for seed in range(40):
        counts, confusion = audit(shares, plan.images, accuracy, faces, rng)
        found = estimate_shares(counts, confusion, replicates=400, seed=seed)
        halves.append((found.high - found.low) / 2)
    assert np.mean(halves, axis=0).max() == pytest.approx(half_width, rel=0.1)


@pytest.mark.parametrize(
    ("target", "discrepancy", "accuracy", "faces", "prompts"),
    [
        ([0.5, 0.5], 0.1, None, 0, 1),
        ([0.5, 0.5], 0.3, None, 0, 20),
        ([0.5, 0.5], 0.2, 0.9, 200, 1),
        ([0.8, 0.2], 0.3, 0.75, 500, 1),
        ([0.25] * 4, 0.2, 0.75, 500, 5),
        ([1 / 7] * 7, 0.1, None, 0, 1),
        ([1 / 7] * 7, 0.3, 0.9, 200, 1),
    ],
)
def test_planned_images_give_the_power_of_the_real_test(target, discrepancy, accuracy, faces, prompts):
    target, rng, powers = np.array(target), np.random.default_rng(1), []
    plan = images_for_discrepancy(discrepancy, target, known(len(target), accuracy, faces), prompts=prompts)
    assert plan.total == prompts * plan.images
    level = 0.05 / (prompts + 1) if prompts > 1 else 0.05
    for shares in alternatives(target, discrepancy)[:2]:
        found = 0
        for seed in range(250):
            counts, confusion = audit(shares, plan.images, accuracy, faces, rng)
            p_value, _ = goodness_of_fit(counts, target, confusion, replicates=300, seed=seed)
            found += p_value < level
        powers.append(found / 250)
    # Not the hardest alternative may be easier; the hardest is found in 80 of 100 audits.
    assert min(powers) == pytest.approx(0.8, rel=0.1)


def test_raw_half_width_is_the_smallest_number_that_wilson_needs():
    found = images_for_half_width(0.05, [0.5, 0.5]).images
    halves = [np.ptp(wilson(np.array([n / 2, n / 2]), 0.05), axis=0)[0] / 2 for n in (found - 1, found)]
    assert halves[0] > 0.05 >= halves[1]
    assert found == 381  # Wilson: n = z**2 * (1 / (4 h**2) - 1), 3.84 * 99 = 380.3


def test_exact_power_is_that_of_the_binomial_test():
    significant = [stats.binomtest(x, 40, 0.3).pvalue < 0.05 for x in range(41)]
    assert exact_power(40, np.array([0.3, 0.7]), np.array([0.5, 0.5]), 0.05) == pytest.approx(
        stats.binom.pmf(range(41), 40, 0.5) @ significant
    )


def test_calibration_error_sets_a_floor_that_images_do_not_beat():
    few = images_for_half_width(0.03, [0.5, 0.5], symmetric_confusion(2, 0.9, 200))
    assert few.images is None
    assert few.total is None
    assert few.reason == "calibration error alone gives ±0.037; calibrate on at least 302 faces a value"
    assert few.calibration == 302
    enough = images_for_half_width(0.03, [0.5, 0.5], symmetric_confusion(2, 0.9, 310))
    assert enough.images > 10_000  # possible, but only just
    hidden = images_for_discrepancy(0.1, [0.5, 0.5], symmetric_confusion(2, 0.75, 200))
    assert hidden.images is None
    assert "calibration error keeps the power at" in hidden.reason
    better = symmetric_confusion(2, 0.75, hidden.calibration + 10)
    assert images_for_discrepancy(0.1, [0.5, 0.5], better).images


def test_worse_classifiers_and_smaller_calibrations_need_more_images():
    def needed(accuracy, faces):
        confusion = symmetric_confusion(2, accuracy, faces)
        return (
            images_for_half_width(0.08, [0.5, 0.5], confusion).images,
            images_for_discrepancy(0.3, [0.5, 0.5], confusion).images,
        )

    best, worse, smaller = needed(0.95, 1000), needed(0.85, 1000), needed(0.85, 300)
    assert best[0] < worse[0] < smaller[0]
    assert best[1] < worse[1] < smaller[1]
    assert best[0] > images_for_half_width(0.08, [0.5, 0.5]).images


def test_more_prompts_and_more_power_need_more_images():
    one, many = (images_for_discrepancy(0.2, [0.5, 0.5], prompts=p) for p in (1, 30))
    assert one.images < many.images
    assert many.total == 30 * many.images
    assert images_for_discrepancy(0.2, [0.5, 0.5], power=0.95).images > one.images


@given(st.floats(0.02, 0.4), st.floats(0.05, 0.95))
@settings(max_examples=40)
def test_shorter_intervals_never_need_fewer_images(half_width, share):
    shares = [share, 1 - share]
    assert (
        images_for_half_width(half_width, shares).images
        >= images_for_half_width(min(0.45, half_width * 1.1), shares).images
    )


def test_alternatives_are_shares_at_that_discrepancy():
    target = np.array([0.5, 0.3, 0.2])
    found = alternatives(target, 0.25)
    assert found.sum(axis=1) == pytest.approx(1)
    assert np.linalg.norm(found - target, axis=1) == pytest.approx(0.25)
    assert (found >= 0).all()
    # The first value up, the others in proportion.
    assert found[0][1] / found[0][2] == pytest.approx(1.5)


def test_a_symmetric_confusion_has_that_accuracy():
    confusion = symmetric_confusion(4, 0.7, 200)
    assert np.diag(confusion) == pytest.approx(140)
    assert confusion.sum(axis=1) == pytest.approx(200)
    assert confusion[0, 1] == pytest.approx(20)


@pytest.mark.parametrize(("k", "accuracy", "faces"), [(1, 0.9, 10), (2, 0.5, 10), (2, 1.1, 10), (2, 0.9, 0)])
def test_a_calibration_that_says_nothing_is_refused(k, accuracy, faces):
    with pytest.raises(ValueError, match=r"calibration|accuracy"):
        symmetric_confusion(k, accuracy, faces)


def test_a_classifier_that_may_be_guessing_is_a_reason():
    for confusion in ([[3, 2], [2, 3]], [[10, 0], [0, 0]]):
        assert images_for_half_width(0.1, [0.5, 0.5], confusion).reason
        assert images_for_discrepancy(0.3, [0.5, 0.5], confusion).reason


@pytest.mark.parametrize("half_width", [0, -0.1, 0.5, np.nan])
def test_impossible_half_widths_are_refused(half_width):
    with pytest.raises(ValueError, match="half-width"):
        images_for_half_width(half_width, [0.5, 0.5])


@pytest.mark.parametrize(
    ("discrepancy", "options"),
    [(0, {}), (0.8, {}), (np.nan, {}), (0.1, {"power": 1}), (0.1, {"prompts": 0})],
)
def test_impossible_questions_of_power_are_refused(discrepancy, options):
    with pytest.raises(ValueError, match=r"discrepancy|power|prompt"):
        images_for_discrepancy(discrepancy, [0.5, 0.5], **options)


def test_shapes_must_belong_together():
    with pytest.raises(ValueError, match="one value"):
        images_for_half_width(0.1, [1.0])
    with pytest.raises(ValueError, match="do not belong"):
        images_for_half_width(0.1, [0.5, 0.5], np.eye(3))
