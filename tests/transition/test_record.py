"""tau.json: written, found again, and refused where it is not what it should be."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from fairaudit.samplers.switching import Switching
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.attributes import get_attribute, join
from fairaudit.errors import UsageError
from fairaudit.transition.record import Facts, TauRecord, nearest_switch, resolve_tau
from fairaudit.transition.search import Wish, find_tau, pairs_of
from fairaudit.transition.setting import Setting
from tests.transition.worlds import Gaussians, setting_of

FACTS = Facts("analytic:gmm", get_attribute("gender"), "ddim", 50, 1.0)
MODEL = Gaussians({"female": [1.0, 0.0], "male": [-1.0, 0.0]}, 0.3)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path / "cache"))


def found() -> TauRecord:
    return find_tau(setting_of(MODEL), FACTS, Wish("law", 6))


def test_what_was_found_is_found_again(tmp_path: Path) -> None:
    record = found()
    record.save([tmp_path / "out" / "tau.json", FACTS.cached])
    assert TauRecord.load(tmp_path / "out") == record
    for text in ("auto", str(tmp_path / "out"), str(tmp_path / "out" / "tau.json")):
        tau = resolve_tau(text, FACTS)
        assert tau == record.tau
        assert Switching(tau).tau == tau  # type: ignore[arg-type]


def test_auto_finds_nothing_that_was_searched_for_something_else() -> None:
    found().save([FACTS.cached])
    for other in (
        Facts("analytic:gmm", FACTS.attribute, "ddim", 25, 1.0),
        Facts("analytic:gmm", FACTS.attribute, "ddim", 50, 2.0),
        Facts("analytic:gmm", FACTS.attribute, "model", 50, 1.0),
        Facts("analytic:gmm", get_attribute("age"), "ddim", 50, 1.0),
        Facts("builtin:faces64", FACTS.attribute, "ddim", 50, 1.0),
    ):
        with pytest.raises(UsageError, match="fairaudit tau"):
            resolve_tau("auto", other)


def test_the_command_that_is_told_asks_for_the_same() -> None:
    both = join([get_attribute("gender"), get_attribute("age")])
    with pytest.raises(UsageError) as told:
        resolve_tau("auto", Facts("analytic:gmm", both, "ddim", 50, 2.5))
    command = shlex.split(str(told.value).split("find it with: ")[1])
    assert command[:3] == ["fairaudit", "tau", "analytic:gmm"]
    assert dict(zip(command[3::2], command[4::2], strict=True)) == {
        "--attribute": "gender,age", "--scheduler": "ddim", "--steps": "50", "--guidance-scale": "2.5",
    }  # fmt: skip


def test_a_record_of_another_attribute_is_refused(tmp_path: Path) -> None:
    found().save([tmp_path / "tau.json"])
    with pytest.raises(UsageError, match="of gender, not age"):
        resolve_tau(str(tmp_path), Facts("analytic:gmm", get_attribute("age"), "ddim", 50, 1.0))


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "pairs": []}', "\x00\xff", '{"tau": NaN}']
)
def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "tau.json").write_text(content, encoding="latin-1")
    with pytest.raises(UsageError, match=r"is no tau\.json"):
        resolve_tau(str(tmp_path), FACTS)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="cannot read"):
        resolve_tau("nowhere/tau.json", FACTS)


@given(tau=st.floats(0, 1), steps=st.integers(1, 40))
def test_the_nearest_switch_is_the_nearest(tau: float, steps: int) -> None:
    times = [1 - k / steps for k in range(steps)]
    chosen = nearest_switch(tau, times)
    switched = [time for time in times if chosen > 0 and time <= chosen]
    at = switched[0] if switched else 0.0
    assert abs(at - tau) <= 0.5 / steps + 1e-9


def test_a_circle_of_values_has_as_many_neighbours() -> None:
    race = get_attribute("race")
    assert len(pairs_of(race)) == 7
    assert pairs_of(race)[-1] == (race.values[-1], race.values[0])
    assert len(pairs_of(race, every_pair=True)) == 21
    assert pairs_of(get_attribute("gender")) == [("female", "male")]


def test_more_values_give_the_points_of_a_cycle() -> None:
    """Of Gaussians: the closed form of the cycle, from the measured points of the pairs."""
    age = get_attribute("age")
    words = list(age.words.values())
    model = Gaussians({word: [float(k), float(k % 2)] for k, word in enumerate(words)}, 0.3)
    facts = Facts("analytic:gmm", age, "ddim", 50, 1.0)
    base = setting_of(model)
    setting = Setting(model, age, base.prompts, "ddim", 50, 1.0)
    record = find_tau(setting, facts, Wish("common", 6))
    assert len(record.pairs) == 9
    cycle = record.tau
    assert isinstance(cycle, list)
    assert len(cycle) == 8
    ratios = [float(((1 - s) / s).sqrt()) for s in (model.signals[round(1000 * tau)] for tau in cycle)]
    for j, ratio in enumerate(ratios, start=1):
        assert ratio == pytest.approx((0.3 * (81 / j**2 - 1)) ** 0.5, rel=0.12)
    Switching(tuple(cycle))


def test_too_few_images_and_unknown_criteria_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 4 images"):
        find_tau(setting_of(MODEL), FACTS, Wish("law", 3))
    with pytest.raises(UsageError, match="did you mean 'law'"):
        find_tau(setting_of(MODEL), FACTS, Wish("laws", 8))
