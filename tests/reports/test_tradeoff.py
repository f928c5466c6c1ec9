"""The drawings of the trade-off: every number is in their texts, and no label covers another."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from fairaudit.reports.placing import place
from fairaudit.reports.story import tell
from fairaudit.reports.tradeoff import tradeoff_note, tradeoffs
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from matplotlib.text import Annotation

from fairaudit.fronts import Dominated
from fairaudit.results import Results
from fairaudit.tradeoff import with_tradeoffs
from tests.reports.sample import HOSTILE, sample_report


def swept() -> Results:
    """Three samplers, and one of them with five values of a parameter."""
    results = sample_report().results
    for i, value in enumerate((1, 2, 4, 8, 16)):
        one = results.samplers["switching"].model_copy(deep=True)
        one.title, one.parameters = "swept", {"scale": value}
        fd = one.attributes["gender"].fd_prompts
        assert fd is not None
        fd.value, fd.low, fd.high = 0.05 + 0.06 * i, 0.03 + 0.06 * i, 0.09 + 0.06 * i
        results.samplers[f"switching-scale-{value}"] = one
    return with_tradeoffs(results, 0.05)


def test_every_sampler_and_number_is_in_the_text():
    results = swept()
    found = tradeoffs(results, "gender", "t")
    assert [figure.title for figure in found] == ["KID", "Content unchanged", "Seconds per image"]
    for name, sampler in results.samplers.items():
        assert f"{name}: FD {sampler.attributes['gender'].fd_prompts.value:.3f}" in found[0].alt
        assert f"Seconds per image {sampler.cost.seconds_per_image:.3f}" in found[2].alt
    assert "scale of switching is swept: switching-scale-1, switching-scale-2" in found[0].alt
    assert "lower is better" in found[0].alt
    assert "higher is better" in found[1].alt


def test_costs_are_drawn_from_zero_so_that_chance_differences_look_small():
    *_, seconds = tradeoffs(sample_report().results, "gender", "t")
    ticks = re.findall(r"<text[^>]*>(\d\.\d+)</text>", seconds.svg)
    assert ticks.count("0.00") == 1


def test_marks_are_explained_only_where_they_occur():
    results = sample_report().results
    plain = tradeoff_note(results, "95 %")
    assert "Hollow" not in plain
    assert "Joined" not in plain
    marked = swept()
    marked.tradeoffs[1].dominated["baseline"] = Dominated(by="guidance", p_value=0.001)
    note = tradeoff_note(marked, "95 %")
    assert "Hollow" in note
    assert "Joined" in note


def test_dominated_samplers_are_hollow_and_said_to_be():
    results = swept()
    (kid, *_) = tradeoffs(results, "gender", "t")
    before = kid.svg.count("fill-opacity: 0") + kid.svg.count("fill: none")
    results.tradeoffs[1].dominated["baseline"] = Dominated(by="guidance", p_value=0.001)
    assert results.tradeoffs[1].metric == "kid"
    (kid, *_) = tradeoffs(results, "gender", "t")
    assert kid.svg.count("fill-opacity: 0") + kid.svg.count("fill: none") > before
    assert "dominated with confidence by guidance" in kid.alt


def test_one_sampler_or_none_measured_has_no_drawing():
    for report in (sample_report(samplers=("baseline",)), sample_report(missing=True)):
        assert all(section.tradeoff == () for section in tell(report).sections)


def test_hostile_names_stay_text():
    results = sample_report().results
    results.samplers = dict(zip(HOSTILE, results.samplers.values(), strict=False))
    results.comparisons = []
    for figure in tradeoffs(with_tradeoffs(results, 0.05), "gender", "t"):
        assert "<script" not in figure.svg
        assert re.match(r"<svg", figure.svg)


@pytest.mark.parametrize("seed", range(5))
def test_labels_cover_no_other_label_and_stay_inside(seed: int):
    rng = np.random.default_rng(seed)
    drawing = Drawing(figsize=(3.5, 2.9))
    FigureCanvasAgg(drawing)
    axes = drawing.add_axes((0.15, 0.16, 0.82, 0.74))
    axes.set(xlim=(0, 1), ylim=(0, 1))
    # Two far apart, and a sweep whose points lie close together.
    sweep = [(0.3 + 0.08 * i, 0.5 + 0.03 * float(rng.normal())) for i in range(5)]
    points = [((0.1, 0.9), "baseline"), ((0.9, 0.1), "a-longer-name-of-a-sampler")]
    points += list(zip(sweep, ["switching, tau 0.1", "0.2", "0.4", "0.6", "0.8"], strict=True))
    place(drawing, axes, points)
    drawing.canvas.draw()
    labels = [child for child in axes.get_children() if isinstance(child, Annotation)]
    boxes = [label.get_window_extent() for label in labels]
    assert [label.get_text() for label in labels] == [text for _, text in points]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    whole = drawing.get_window_extent()
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 for box in boxes)
