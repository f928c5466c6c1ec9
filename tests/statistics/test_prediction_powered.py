"""Prediction-powered shares: against the authors' library, in closed form, and against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from benchmarks.prediction_powered import Setting, simulate
from fairaudit.statistics.prediction_powered import EXACT, POWERED, Judged, powered_share


def plain(machine: np.ndarray, n: int, human: np.ndarray) -> Judged:
    """The first n of a random draw are judged."""
    return Judged(machine, np.arange(n), human[:n], np.zeros(len(machine), dtype=np.int64))


def labels(images: int, share: float, accuracy: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(images) < share).astype(np.int64)
    return np.where(rng.random(images) < accuracy, truth, 1 - truth), truth


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("accuracy", [0.95, 0.75])
def test_the_authors_library_says_the_same(accuracy: float) -> None:
    ppi = pytest.importorskip("ppi_py")
    machine, truth = labels(5000, 0.3, accuracy, 1)
    n = 1000
    found = powered_share(plain(machine, n, truth), 1).share
    low, high = ppi.ppi_mean_ci(
        truth[:n].astype(float), machine[:n].astype(float), machine[n:].astype(float), alpha=0.05
    )
    assert found.method == POWERED
    assert found.low == pytest.approx(low[0], abs=0.0015)
    assert found.high == pytest.approx(high[0], abs=0.0015)


def test_a_perfect_classifier_is_as_good_as_humans_for_all() -> None:
    machine, truth = labels(2000, 0.4, 1.0, 2)
    found = powered_share(plain(machine, 100, truth), 1)
    assert found.share.value == pytest.approx(truth.mean(), abs=1e-9)
    assert found.narrower > 0.6


def test_a_classifier_that_guesses_adds_nothing_but_does_no_harm() -> None:
    rng = np.random.default_rng(3)
    _, truth = labels(3000, 0.4, 1.0, 3)
    found = powered_share(plain(rng.integers(2, size=3000), 400, truth), 1)
    assert found.share.value == pytest.approx(truth[:400].mean(), abs=0.01)
    assert abs(found.narrower) < 0.03


def test_shares_of_all_values_sum_to_one() -> None:
    rng = np.random.default_rng(4)
    truth = rng.choice([0, 0, 1, 2], 4000)
    machine = np.where(rng.random(4000) < 0.7, truth, rng.integers(-1, 3, 4000))
    shares = [powered_share(plain(machine, 500, truth), value).share.value for value in range(3)]
    assert sum(shares) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("said", [0, 3, 20])
def test_few_labels_get_the_exact_interval(said: int) -> None:
    human = (np.arange(29) < said).astype(np.int64)
    machine = np.zeros(500, dtype=np.int64)
    found = powered_share(plain(machine, 29, human), 1)
    low, high = proportion_confint(said, 29, method="beta")
    assert found.share.method == EXACT
    assert found.narrower is None
    assert (found.share.low, found.share.high) == pytest.approx((0.0 if said == 0 else low, high))


def test_a_rare_value_gets_the_exact_interval_however_many_labels() -> None:
    machine, truth = labels(2000, 0.004, 0.99, 5)
    found = powered_share(plain(machine, 400, truth), 1)
    assert int(truth[:400].sum()) < 5
    assert found.share.method == EXACT
    assert found.share.high > 0


def test_what_nobody_can_tell_is_no_share() -> None:
    found = powered_share(plain(np.zeros(50, dtype=np.int64), 40, np.full(40, -1)), 1)
    assert found.share.value is None
    assert "could tell" in found.share.reason


def test_images_without_a_face_are_not_taken_as_any_value() -> None:
    """Half of the images show no face; the classifier calls all of those female."""
    rng = np.random.default_rng(6)
    face, female = rng.random(6000) < 0.5, rng.random(6000) < 0.2
    truth = np.where(face, female, -1).astype(np.int64)
    machine = np.where(face, female, 1).astype(np.int64)
    assert machine.mean() > 0.55
    found = powered_share(plain(machine, 500, truth), 1).share
    assert found.low < 0.2 < found.high
    assert found.high < 0.3


def test_order_of_the_images_does_not_matter() -> None:
    machine, truth = labels(900, 0.3, 0.8, 7)
    judged = plain(machine, 120, truth)
    order = np.random.default_rng(0).permutation(900)
    place = np.argsort(order)
    other = Judged(machine[order], place[judged.images], judged.human, judged.strata[order])
    mixed = np.random.default_rng(1).permutation(120)
    other = Judged(other.machine, other.images[mixed], other.human[mixed], other.strata)
    assert powered_share(other, 1).share.low == pytest.approx(powered_share(judged, 1).share.low)


def test_stratified_draws_are_weighed_back() -> None:
    """Half of the judged images are labelled female, but only one image in ten is."""
    setting = Setting(200, 4000, 0.1, (0.9, 0.97), 0.0, stratified=True)
    found = [powered_share(setting.draw(np.random.default_rng(s)), 1).share.value for s in range(60)]
    assert np.mean(found) == pytest.approx(0.1, abs=0.006)


def stratified(sizes: tuple[int, ...], judged: tuple[int, ...], seed: int = 8) -> Judged:
    """Strata of these sizes, by the machine's labels, of which so many are judged; one in ten is wrong."""
    rng = np.random.default_rng(seed)
    machine = np.repeat(np.arange(len(sizes)), sizes) % 2
    truth = np.where(rng.random(len(machine)) < 0.9, machine, 1 - machine)
    starts = np.cumsum([0, *sizes[:-1]])
    images = np.concatenate([start + np.arange(n) for start, n in zip(starts, judged, strict=True)])
    return Judged(machine, images, truth[images], np.repeat(np.arange(len(sizes)), sizes))


def test_a_stratum_that_was_judged_whole_is_no_few() -> None:
    """One picture without a label, judged: the others are powered as they would be without it."""
    found = powered_share(stratified((1000, 800, 1), (100, 100, 1)), 1)
    without = powered_share(stratified((1000, 800), (100, 100)), 1)
    assert found.share.method == POWERED
    assert found.share.low == pytest.approx(without.share.low, abs=0.005)
    assert found.share.high == pytest.approx(without.share.high, abs=0.005)
    assert powered_share(stratified((1000, 800, 2), (100, 100, 1)), 1).share.method == EXACT


def test_all_judged_leaves_what_the_images_alone_leave_open() -> None:
    """With nothing drawn, the interval is that of a plain mean over all images."""
    judged = stratified((300, 200), (300, 200))
    found = powered_share(judged, 1).share
    mean = (judged.human == 1).mean()
    assert found.value == pytest.approx(mean)
    reach = stats.t.isf(0.025, 498) * np.sqrt(mean * (1 - mean) / 500)
    assert found.high - found.value == pytest.approx(reach)


def test_an_interval_that_is_wider_says_so() -> None:
    found = powered_share(stratified((4000, 40), (35, 35)), 1)
    widths = [e.high - e.low for e in (found.share, found.alone)]
    assert found.narrower == pytest.approx(1 - widths[0] / widths[1])
    assert found.narrower < 1


@pytest.mark.parametrize(
    "setting",
    [
        Setting(60, 1000, 0.5, (0.95, 0.8), 0.0, stratified=False),
        Setting(200, 1000, 0.2, (0.6, 0.9), 0.1, stratified=False),
        Setting(100, 1000, 0.2, (0.95, 0.8), 0.1, stratified=True),
    ],
)
def test_intervals_hold_the_truth_although_the_classifier_is_biased(setting: Setting) -> None:
    outcome = simulate(setting, 400)
    assert 0.92 <= outcome.powered <= 0.995
    assert outcome.width < 1.1
