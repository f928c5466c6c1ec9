"""Whatever comes in: numbers that hold together, None with a reason, or one clear sentence of refusal.

Never a warning (they are errors here), a nan, or an error that numpy raised from within.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import fairaudit
from fairaudit.metrics import fairness
from fairaudit.results import Estimate
from fairaudit.statistics.across import across_prompts
from fairaudit.statistics.amplification import amplify, bias_amplification, directional_bias_amplification
from fairaudit.statistics.changes import marginal_homogeneity, paired_changes
from fairaudit.statistics.correction import correct_shares, prediction_rates
from fairaudit.statistics.discrepancy import estimate_discrepancy, null_band
from fairaudit.statistics.em import em_shares, estimate_em_shares
from fairaudit.statistics.equivalence import equivalence_test
from fairaudit.statistics.indices import estimate_indices
from fairaudit.statistics.intersections import estimate_intersection
from fairaudit.statistics.means import mean_interval
from fairaudit.statistics.obfuscation import probe_error
from fairaudit.statistics.paired import paired_fd_difference
from fairaudit.statistics.power import images_for_discrepancy, images_for_half_width
from fairaudit.statistics.prompts import paired_prompt_difference, prompt_discrepancy
from fairaudit.statistics.sequential import ConfidenceSequence
from fairaudit.statistics.shares import ShareEstimate, estimate_shares
from fairaudit.statistics.soft import estimate_soft_shares
from fairaudit.statistics.tests import benjamini_hochberg, goodness_of_fit, holm
from fairaudit.statistics.thresholds import threshold_shares
from fairaudit.statistics.transfer import confidence_histogram, transfer_test
from fairaudit.statistics.verdict import decide

PACKAGE = Path(fairaudit.__file__).parent
FEW = {"replicates": 40}
ODD = st.sampled_from([math.nan, math.inf, -1.0, 0.5])


def survives(work: Callable[[], Any]) -> None:
    """The call returns what holds together, or refuses in one sentence of its own."""
    refusal: ValueError | None = None
    try:
        result = work()
    except ValueError as error:
        refusal = error
    if refusal is None:
        holds(result)
        return
    last = traceback.extract_tb(refusal.__traceback__)[-1]
    own = Path(last.filename).is_relative_to(PACKAGE) and (last.line or "").startswith("raise")
    assert own, f"raised from within: {refusal!r}"
    assert str(refusal)
    assert "\n" not in str(refusal)


def holds(result: Any) -> None:
    """No nan anywhere; low <= value <= high; None with a reason."""
    if isinstance(result, Estimate | ShareEstimate):
        ends_hold(result)
    if isinstance(result, BaseModel):
        holds({name: getattr(result, name) for name in type(result).model_fields})
    elif is_dataclass(result):
        holds({field.name: getattr(result, field.name) for field in fields(result)})
    elif isinstance(result, Mapping):
        holds(list(result.values()))
    elif isinstance(result, Sequence) and not isinstance(result, str):
        for part in result:
            holds(part)
    elif isinstance(result, float | np.ndarray):
        assert not np.isnan(result).any()


def ends_hold(result: Estimate | ShareEstimate) -> None:
    if result.value is None:
        assert result.reason
        assert result.high is None  # an infinite value may have a low end
        return
    if result.low is None or result.high is None:
        assert result.reason or "without an upper end" in result.method
        return
    assert np.all(np.asarray(result.low) <= np.asarray(result.value) + 1e-9)
    assert np.all(np.asarray(result.value) <= np.asarray(result.high) + 1e-9)


@st.composite
def counts(draw: st.DrawFn, k: int) -> list[float]:
    """Often nothing, one image or one value alone; at times not counts at all."""
    kind = draw(st.sampled_from(["any", "any", "none", "one", "alone", "huge", "odd"]))
    row = [float(draw(st.integers(0, 30))) if kind in {"any", "odd"} else 0.0 for _ in range(k)]
    if kind in {"one", "alone", "huge", "odd"} and k:
        value = {"one": 1.0, "alone": 40.0, "huge": 1e7}.get(kind)
        row[draw(st.integers(0, k - 1))] = draw(ODD) if value is None else value
    return row


@st.composite
def targets(draw: st.DrawFn, k: int) -> list[float]:
    """Uniform, any, sums other than 1, borders, another attribute's, or no shares at all."""
    size = k + draw(st.sampled_from([0] * 9 + [1]))
    row = (
        [draw(st.just(0.0) | st.floats(1e-3, 2)) for _ in range(size)]
        if draw(st.booleans())
        else [1 / size] * size
    )
    if draw(st.integers(0, 9)) == 0:
        row[0] = draw(ODD)
    return row


@st.composite
def confusions(draw: st.DrawFn, k: int) -> np.ndarray | None:
    """None, good, singular, empty rows, of another attribute, or not counts."""
    kind = draw(st.sampled_from(["none", "good", "good", "any", "guess", "empty", "other", "odd"]))
    if kind == "none":
        return None
    size = k + (kind == "other")
    matrix = np.full((size, size), 10.0)
    if kind == "any":
        entries = st.integers(0, 40)
        matrix = np.array([[draw(entries) for _ in range(size)] for _ in range(size)], dtype=float)
    elif kind != "guess":
        matrix += np.eye(size) * draw(st.sampled_from([5.0, 100.0, 1000.0, 1e7]))
    if kind == "empty":
        matrix[0] = 0
    if kind == "odd":
        matrix[0, 0] = draw(ODD)
    return matrix


@st.composite
def probabilities(draw: st.DrawFn, k: int) -> np.ndarray:
    """Rows that sum to 1, but for the odd one; at times none, or all alike."""
    n = draw(st.sampled_from([0, 1, 2, 5, 25]))
    seed = draw(st.integers(0, 99))
    rows = np.random.default_rng(seed).dirichlet(np.full(k, draw(st.sampled_from([0.01, 1, 100]))), size=n)
    if n and draw(st.integers(0, 4)) == 0:
        rows[0] = draw(st.sampled_from([math.nan, math.inf, -1.0, 0.7, 0.0, 1e-320]))
    return rows


@st.composite
def labels(draw: st.DrawFn, k: int, samplers: int) -> list[np.ndarray]:
    """Codes of several samplers on the same images, with gaps, and at times codes out of range."""
    n = draw(st.sampled_from([0, 1, 2, 7, 40]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    least = draw(st.sampled_from([-1, 0]))
    rows = [rng.integers(least, k, n) for _ in range(samplers)]
    kind = draw(st.sampled_from(["any"] * 5 + ["none", "same", "beyond", "longer", "nan"]))
    if kind == "none":
        rows[0] = np.full(n, -1)
    elif kind == "same":
        rows = [rows[0]] * samplers
    elif kind == "beyond":
        rows[0] = rows[0] + k
    elif kind == "longer":
        rows[0] = np.append(rows[0], 0)
    elif kind == "nan":
        rows[0] = np.where(rows[0] == 0, math.nan, rows[0])
    return rows


K = st.integers(1, 4)
DRAWS = settings(max_examples=60)


@DRAWS
@given(st.data(), K)
def test_one_row_of_counts(data: st.DataObject, k: int) -> None:
    row, confusion = data.draw(counts(k)), data.draw(confusions(k))
    target = data.draw(targets(k))
    survives(lambda: estimate_shares(row, confusion, **FEW))
    survives(lambda: goodness_of_fit(row, target, confusion, **FEW))
    try:
        shares = estimate_shares(row, confusion, **FEW)
    except ValueError:
        return
    n = int(sum(row))
    survives(lambda: estimate_discrepancy(shares, target))
    survives(lambda: null_band(n, target, confusion, **FEW))
    survives(lambda: amplify(shares, target))
    survives(lambda: estimate_indices(shares, n, target, confusion, **FEW))
    survives(lambda: equivalence_test(shares, target, 0.1, n=n, confusion=confusion, **FEW))


@DRAWS
@given(st.data(), K)
def test_rows_of_prompts(data: st.DataObject, k: int) -> None:
    prompts = data.draw(st.integers(0, 4))
    table = np.array([data.draw(counts(k)) for _ in range(prompts)]).reshape(prompts, k)
    confusion, target = data.draw(confusions(k)), data.draw(targets(k))
    planted = [data.draw(targets(k)) for _ in range(prompts)]
    survives(lambda: prompt_discrepancy(table, target, confusion, **FEW))
    survives(lambda: across_prompts(table, confusion, **FEW))
    survives(lambda: marginal_homogeneity(table, **FEW))
    survives(lambda: directional_bias_amplification(table, np.roll(table, 1), confusion, **FEW))
    if len({len(row) for row in planted}) == 1:
        survives(lambda: bias_amplification(table, planted, target, confusion, **FEW))


@DRAWS
@given(st.data(), K)
def test_two_samplers(data: st.DataObject, k: int) -> None:
    a, b, prompts = data.draw(labels(k, 3))
    confusion, target = data.draw(confusions(k)), data.draw(targets(k))
    survives(lambda: paired_fd_difference(a, b, prompts, target, confusion, **FEW))
    survives(lambda: paired_prompt_difference(a, b, prompts, target, confusion, **FEW))
    survives(lambda: paired_changes("x", [f"v{i}" for i in range(k)], a, b, prompts, confusion, **FEW))


@DRAWS
@given(st.data(), K, st.integers(0, 3))
def test_several_attributes(data: st.DataObject, k: int, more: int) -> None:
    first, second = data.draw(labels(k, 2))
    values = [[f"a{i}" for i in range(k)], [f"b{i}" for i in range(more)]]
    goals = [data.draw(targets(k)), data.draw(targets(more)) if more else []]
    confusion = data.draw(confusions(k * more or 1))
    survives(lambda: estimate_intersection("ab", values, [first, second], goals, confusion, **FEW))


@DRAWS
@given(st.data(), K)
def test_probabilities(data: st.DataObject, k: int) -> None:
    rows, others = data.draw(probabilities(k)), data.draw(probabilities(k))
    prior = data.draw(targets(k))
    survives(lambda: estimate_soft_shares(rows, **FEW))
    survives(lambda: em_shares(rows, prior))
    survives(lambda: estimate_em_shares(rows, prior, **FEW))
    survives(lambda: confidence_histogram(rows))
    survives(lambda: transfer_test(confidence_histogram(rows), confidence_histogram(others), **FEW))


@DRAWS
@given(st.data(), K)
def test_thresholds(data: st.DataObject, k: int) -> None:
    """Rows of nan say that no image is left at a threshold, which `labelled` says too."""
    rows = data.draw(probabilities(k))
    thresholds = data.draw(st.lists(st.floats() | st.floats(0, 1), max_size=3))

    def known() -> Any:
        found = threshold_shares(rows, thresholds)
        assert (np.isnan(found.shares).all(axis=1) == (found.labelled == 0)).all()
        return found.shares[found.labelled > 0]

    survives(known)


@DRAWS
@given(st.data(), K)
def test_shares_and_their_distances(data: st.DataObject, k: int) -> None:
    given = data.draw(st.lists(st.floats(0, 1), min_size=k, max_size=k))
    shares = np.divide(given, sum(given)) if sum(given) > 1e-9 else np.eye(k)[0]
    target = np.full(k, 1 / k) if data.draw(st.booleans()) else np.eye(k)[-1]
    for other in (target, np.append(target, 0), []):
        survives(lambda other=other: fairness.fairness_discrepancy(shares, other))
        survives(lambda other=other: fairness.total_variation(shares, other))
        survives(lambda other=other: fairness.kl_divergence(shares, other))
        survives(lambda other=other: fairness.chi_square_distance(shares, other))
        survives(lambda other=other: fairness.max_min_ratio(shares, other))
        survives(lambda other=other: fairness.smallest_representation(shares, other))
        survives(lambda other=other: fairness.mean_absolute_deviation(shares, other))
        survives(lambda other=other: fairness.deviation_ratio(shares, other))
    for row in (shares, []):
        survives(lambda row=row: fairness.normalised_entropy(row))
        survives(lambda row=row: fairness.effective_number(row))
        survives(lambda row=row: fairness.effective_number(row, order=2))


@DRAWS
@given(st.data(), K)
def test_corrections(data: st.DataObject, k: int) -> None:
    shares, confusion = data.draw(st.lists(st.floats(0, 1), min_size=k, max_size=k)), data.draw(confusions(k))
    if confusion is not None:
        survives(lambda: prediction_rates(confusion))
        survives(lambda: correct_shares(shares, confusion))


@settings(max_examples=10)
@given(st.data(), K, st.floats(0.05, 0.6) | ODD)
def test_sizes(data: st.DataObject, k: int, number: float) -> None:
    target, confusion = data.draw(targets(k)), data.draw(confusions(k))
    survives(lambda: images_for_half_width(number, target, confusion))
    survives(lambda: images_for_discrepancy(number, target, confusion, prompts=data.draw(st.integers(0, 3))))


@settings(max_examples=25)
@given(st.data(), K)
def test_looks(data: st.DataObject, k: int) -> None:
    target, confusion = data.draw(targets(k)), data.draw(confusions(k))
    rows = [data.draw(counts(k)) for _ in range(2)]

    def look() -> Any:
        sequence = ConfidenceSequence(target, confusion)
        for row in rows:
            sequence.update(row)
        assert (sequence.low <= sequence.high).all()
        return [sequence.value, sequence.low, sequence.high, *sequence.discrepancy()]

    survives(look)


@DRAWS
@given(st.lists(st.none() | st.floats(0, 1), max_size=6))
def test_adjusted_p_values(p_values: list[float | None]) -> None:
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(p_values)
        assert [p is None for p in adjusted] == [p is None for p in p_values]
        assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True) if p is not None)


@DRAWS
@given(*[st.none() | st.floats(0, 1) for _ in range(4)])
def test_verdicts(value: float | None, low: float | None, high: float | None, p: float | None) -> None:
    verdict = decide(value, low, high, p, level=0.05, tolerance=0.1)
    assert verdict in {"fair", "unfair", "not enough evidence"}
    if value is None or p is None:
        assert verdict != "unfair"


@DRAWS
@given(
    st.lists(st.floats(-1e9, 1e9) | st.just(math.nan) | st.just(math.inf), max_size=12),
    st.none() | st.lists(st.integers(0, 6), min_size=10, max_size=12),
)
def test_means(x: list[float], clusters: list[int] | None) -> None:
    survives(lambda: mean_interval(x, clusters, replicates=40))


@settings(max_examples=25)
@given(st.data(), st.integers(0, 3), st.integers(0, 3))
def test_features(data: st.DataObject, k: int, d: int) -> None:
    n = data.draw(st.sampled_from([0, 1, 15, 31]))
    scale = data.draw(st.sampled_from([0.0, 5e-324, 1e-200, 1.0, 1e308, math.inf]))
    features = np.random.default_rng(data.draw(st.integers(0, 9))).integers(0, 2, size=(n, d))
    codes = np.arange(n + data.draw(st.sampled_from([0, 0, 0, 1]))) % data.draw(st.integers(1, 4))
    survives(lambda: probe_error(np.where(features == 0, 0.0, scale), codes, k))


def test_a_refusal_is_not_numpys() -> None:
    with pytest.raises(AssertionError, match="raised from within"):
        survives(lambda: np.ones(2) + np.ones(3))
