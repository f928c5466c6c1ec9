"""Which sampler to take: said from the stored choice, only as far as the data carry it; sweeps in order."""

from __future__ import annotations

from fairaudit.choosing import NAMED, sentences, shown
from fairaudit.fronts import Choice, Dominated
from fairaudit.series import series_of
from tests.reports.sample import sample_report


def said(**changes: object) -> str:
    results = sample_report().results
    choice = Choice(attribute="gender", fairest="switching", not_less_fair=["guidance"]).model_copy(
        update=changes
    )
    return " ".join(sentences(results, choice))


def test_what_is_decided_and_what_is_not():
    text = said(metric="kid", best="guidance", not_worse=["switching"], cheapest=["switching"])
    assert "shown against baseline" in text
    assert "do not decide between it and guidance" in text
    assert "guidance has the best KID, but switching is not shown to be worse" in text
    assert "Cheapest of these: switching, with 40" in text
    decided = said(metric="kid", best="guidance", cheapest=["switching", "guidance"])
    assert "take guidance for quality" in decided
    assert "All of them take 40" in decided
    assert "No measure of quality" in said()


def test_a_clear_winner_needs_no_more_words():
    text = said(not_less_fair=[])
    assert (
        text == "For fairness take switching: its FD is shown to be lower than that of baseline and guidance."
    )


def test_dominated_samplers_are_named_with_what_beats_them():
    results = sample_report().results
    (choice,) = results.choices
    assert "Dominated" not in " ".join(sentences(results, choice))
    by = {one.metric: one for one in results.tradeoffs}
    by["kid"].dominated["baseline"] = Dominated(by="switching", p_value=0.01)
    by["content.unchanged"].dominated["baseline"] = Dominated(by="switching", p_value=0.01)
    assert "baseline (by switching in FD and KID and Content unchanged)" in " ".join(
        sentences(results, choice)
    )


def test_long_lists_are_counted():
    names = [f"s{i}" for i in range(9)]
    text = said(not_less_fair=names)
    assert "s0, s1, s2 and 6 more" in text
    assert f"s{NAMED}" not in text


def test_up_to_four_trade_offs_are_shown_the_best_known_measure_first():
    results = sample_report().results
    assert [one.metric for one in shown(results, "gender")] == [
        "kid",
        "content.unchanged",
        "seconds_per_image",
    ]
    assert shown(results, "age") == []


def test_a_sweep_is_joined_in_order_of_its_numbers():
    results = sample_report().results
    template = results.samplers["guidance"]
    for value in (10, 2.5, -1):
        one = template.model_copy(deep=True)
        one.parameters |= {"scale": value}
        results.samplers[f"guidance-scale-{value}"] = one
    (found,) = series_of(results)
    assert found.names == ("guidance-scale--1", "guidance-scale-2.5", "guidance", "guidance-scale-10")
    assert [found.labels[name] for name in found.names[1:]] == ["2.5", "4", "10"]
    assert found.parameter == "scale"


def test_a_grid_is_several_lines():
    results = sample_report().results
    template = results.samplers.pop("switching")
    for tau in (0.2, 0.8):
        for turn in (0, 1, 2):
            one = template.model_copy(deep=True)
            one.parameters = {"tau": tau, "turn": turn, "cycle": "auto"}
            results.samplers[f"switching-tau-{tau}-turn-{turn}"] = one
    lines = series_of(results)
    assert [found.parameter for found in lines] == ["turn", "turn"]
    assert lines[0].names == tuple(f"switching-tau-0.2-turn-{turn}" for turn in (0, 1, 2))
    assert lines[0].labels["switching-tau-0.2-turn-1"] == "1"
