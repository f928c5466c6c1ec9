import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairaudit.statistics.intersections import estimate_intersection
from tests.statistics.test_shares import symmetric

NAMES = ["gender", "race"]
VALUES = [["female", "male"], ["black", "white", "asian"]]
TARGETS = [[0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]]


def images(counts):
    """Codes of both attributes, from a table of counts (2, 3)."""
    return [np.repeat(codes.ravel(), np.ravel(counts)) for codes in np.indices(np.shape(counts))]


def test_fair_marginals_may_hide_an_unfair_joint():
    found = estimate_intersection(NAMES, VALUES, images([[60, 0, 30], [0, 60, 30]]), TARGETS)
    assert found.marginal_fd == {"gender": pytest.approx(0), "race": pytest.approx(0)}
    assert found.fd.low > 0.2
    assert found.p_value < 1e-6
    assert found.cells["female | black"].value == pytest.approx(1 / 3)
    assert found.smallest.value == 0
    assert found.smallest_cell in {"female | white", "male | black"}


def test_cells_nobody_generated_are_there():
    found = estimate_intersection(NAMES, VALUES, images([[50, 0, 0], [0, 0, 0]]), TARGETS)
    assert list(found.cells) == [
        "female | black", "female | white", "female | asian", "male | black", "male | white", "male | asian",
    ]  # fmt: skip
    empty = found.cells["male | asian"]
    assert (empty.value, empty.low) == (0, 0)
    assert 0.02 < empty.high < empty.simultaneous[1] < 0.25
    assert sum(found.target.values()) == pytest.approx(1)
    assert found.fd.value == pytest.approx(np.sqrt(5 / 6))


def test_images_without_every_label_are_bounds():
    codes = [[0, 0, 1, -1, -1], [0, 1, 2, 0, -1]]
    found = estimate_intersection(NAMES, VALUES, codes, TARGETS)
    assert found.n == 3
    # One black face of unknown gender, one of which nothing is known.
    assert found.cells["female | black"].bounds == pytest.approx((1 / 5, 3 / 5))
    assert found.cells["male | white"].bounds == pytest.approx((0, 1 / 5))


def test_one_attribute_is_its_own_intersection():
    found = estimate_intersection(["gender"], [["female", "male"]], [[0] * 70 + [1] * 30], [[0.5, 0.5]])
    assert found.fd.value == found.marginal_fd["gender"] == pytest.approx(np.sqrt(2) * 0.2)
    assert found.smallest.value == pytest.approx(0.6)


def test_joint_errors_are_corrected():
    rates = np.kron(symmetric(2, 0.95), symmetric(3, 0.85))
    truth = np.array([[0.3, 0.1, 0.1], [0.2, 0.2, 0.1]])
    counts = np.round(1e5 * (truth.ravel() @ rates)).astype(int).reshape(2, 3)
    found = estimate_intersection(NAMES, VALUES, images(counts), TARGETS, 10**6 * rates, replicates=200)
    assert [cell.value for cell in found.cells.values()] == pytest.approx(truth.ravel(), abs=1e-3)
    assert found.fd.value == pytest.approx(np.linalg.norm(truth - 1 / 6), abs=2e-3)
    assert found.smallest.value == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize(
    ("confusion", "reason"),
    [
        (np.full((6, 6), 40), "cannot tell"),
        (np.diag([50, 50, 50, 50, 50, 19]), "19 calibration faces"),
        (np.zeros((6, 6)), "0 calibration faces"),
    ],
)
def test_a_calibration_too_thin_leaves_labels_and_says_so(confusion, reason):
    codes = images([[20, 10, 5], [10, 10, 5]])
    found = estimate_intersection(NAMES, VALUES, codes, TARGETS, confusion)
    plain = estimate_intersection(NAMES, VALUES, codes, TARGETS)
    assert all("not corrected" in cell.method and reason in cell.method for cell in found.cells.values())
    assert found.fd == plain.fd
    assert found.p_value == plain.p_value


def test_more_combinations_than_are_calibrated():
    sizes = [2, 7, 9]
    codes = np.unravel_index(np.random.default_rng(0).integers(126, size=250), sizes)
    values, targets = [[str(i) for i in range(k)] for k in sizes], [np.full(k, 1 / k) for k in sizes]
    found = estimate_intersection(["g", "r", "a"], values, codes, targets, 100 * np.eye(126), replicates=400)
    assert len(found.cells) == 126
    assert "more than 20 combinations" in found.cells["0 | 0 | 0"].method
    assert found.fd.low == 0
    assert found.p_value > 0.01
    assert (found.smallest.value, found.smallest.high) == (0, pytest.approx(1))


@pytest.mark.parametrize("calibrated", [False, True])
def test_intervals_hold_the_truth(calibrated):
    rng, audits = np.random.default_rng(1), 60
    truth = np.array([0.3, 0.1, 0.1, 0.25, 0.15, 0.1])
    rates = np.kron(symmetric(2, 0.95), symmetric(3, 0.9)) if calibrated else np.eye(6)
    discrepancy, smallest, held = np.linalg.norm(truth - 1 / 6), 0.6, np.zeros(2)
    for seed in range(audits):
        confusion = np.array([rng.multinomial(300, row) for row in rates]) if calibrated else None
        codes = np.unravel_index(rng.choice(6, size=200, p=truth @ rates), (2, 3))
        found = estimate_intersection(NAMES, VALUES, codes, TARGETS, confusion, replicates=300, seed=seed)
        held[0] += found.fd.low <= discrepancy <= found.fd.high
        held[1] += found.smallest.low <= smallest <= found.smallest.high
    assert held.min() / audits > 0.95 - 2.5 * np.sqrt(0.95 * 0.05 / audits)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(-1, 2)), max_size=30))
def test_any_labels_have_every_cell(pairs):
    codes = np.array(pairs, dtype=int).reshape(-1, 2).T
    found = estimate_intersection(NAMES, VALUES, codes, TARGETS, replicates=40)
    assert len(found.cells) == 6
    assert found.n == sum(min(pair) >= 0 for pair in pairs)
    for cell in found.cells.values():
        assert (cell.value is None) == (found.n == 0) == (cell.reason is not None)
        if cell.bounds is not None and cell.raw is not None:
            assert 0 <= cell.bounds[0] <= cell.bounds[1] <= 1


def test_order_of_attributes_does_not_matter():
    codes = images([[20, 10, 5], [10, 10, 5]])
    one = estimate_intersection(NAMES, VALUES, codes, TARGETS)
    other = estimate_intersection(NAMES[::-1], VALUES[::-1], codes[::-1], TARGETS[::-1])
    assert one.fd.value == pytest.approx(other.fd.value)
    assert one.marginal_fd == pytest.approx(other.marginal_fd)
    assert other.cells["white | male"].value == pytest.approx(one.cells["male | white"].value)


@pytest.mark.parametrize(
    ("codes", "confusion"),
    [([[0, 1], [0]], None), ([[0, 2], [0, 1]], None), ([[0, -2], [0, 1]], None), ([[0], [0]], np.eye(5))],
)
def test_what_does_not_belong_together_is_refused(codes, confusion):
    with pytest.raises(ValueError, match=r"labels|calibration"):
        estimate_intersection(NAMES, VALUES, codes, TARGETS, confusion)


def test_attributes_need_names_values_and_targets():
    with pytest.raises(ValueError, match="every attribute"):
        estimate_intersection(NAMES, VALUES, images([[1, 1, 1]] * 2), TARGETS[:1])
    with pytest.raises(ValueError, match="every attribute"):
        estimate_intersection([], [], [], [])
