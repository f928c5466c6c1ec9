"""What texts ask of a mixture."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.attributes import ATTRIBUTES, Attribute, join
from fairaudit.errors import UsageError
from fairaudit.models.meanings import Meanings
from fairaudit.prompts import Prompt

GENDER, RACE = ATTRIBUTES["gender"], ATTRIBUTES["race"]
CELLS = tuple((gender, race) for gender in GENDER.values for race in RACE.values)
NURSE = tuple(0.8 / 7 if gender == "female" else 0.2 / 7 for gender, _ in CELLS)
SHERIFF = tuple(1.0 if gender == "male" and race == "White" else 0.0 for gender, race in CELLS)
MEANINGS = Meanings((GENDER, RACE), CELLS, {"nurse": NURSE, "sheriff": SHERIFF})


def share(text: str, attribute: Attribute, value: str) -> float:
    members = MEANINGS.members(attribute)[attribute.values.index(value)]
    return round(float(MEANINGS.weights(text)[members].sum()), 12)


def test_an_occupation_gives_its_own_shares() -> None:
    assert share("a photo of a nurse", GENDER, "female") == pytest.approx(0.8)
    assert share("a photo of a sheriff", GENDER, "female") == 0
    assert share("A photo of a NURSE, smiling", GENDER, "female") == pytest.approx(0.8)


@pytest.mark.parametrize("text", ["", "a photo of a person", "nurses", "a photo of a baker"])
def test_a_text_without_occupation_has_the_mean_over_them(text: str) -> None:
    assert share(text, GENDER, "female") == pytest.approx(0.4)
    assert share(text, RACE, "White") == pytest.approx((1 / 7 + 1) / 2)


def test_female_is_not_male() -> None:
    assert share("a photo of a female nurse", GENDER, "female") == 1
    assert share("a photo of a male nurse", GENDER, "female") == 0
    assert share("a female", GENDER, "female") == 1


@pytest.mark.parametrize("value", RACE.values)
def test_a_race_is_found_whatever_word_is_within_its_word(value: str) -> None:
    assert share(f"a photo of a {RACE.words[value]} nurse", RACE, value) == 1


def test_words_are_found_whole() -> None:
    assert share("a photo of a nurse in a whitewashed room", RACE, "White") == pytest.approx(1 / 7)
    assert share("a photo of a nurse in a white room", RACE, "White") == 1


def test_several_values_leave_all_of_them() -> None:
    text = "a photo of a nurse, black or latino"
    assert share(text, RACE, "Black") == pytest.approx(0.5)
    assert share(text, RACE, "Latino_Hispanic") == pytest.approx(0.5)
    assert share(text, GENDER, "female") == pytest.approx(0.8)
    torch.testing.assert_close(MEANINGS.weights("female, male"), MEANINGS.weights(""))


@pytest.mark.parametrize("attribute", [GENDER, RACE, join([GENDER, RACE])], ids=lambda a: a.name)
def test_total_probability(attribute: Attribute) -> None:
    """The prompts with a value, weighted by the shares of the values, make up the neutral prompt."""
    prompt = Prompt("a photo of a {attribute} nurse")
    parts = [
        share(prompt.text, attribute, value) * MEANINGS.weights(prompt.with_value(attribute, value))
        for value in attribute.values
    ]
    torch.testing.assert_close(torch.stack(parts).sum(0), MEANINGS.weights(prompt.text))


def test_members_of_joined_attributes_part_the_components() -> None:
    both = join([RACE, GENDER])
    members = MEANINGS.members(both)
    assert members.shape == (14, 14)
    assert (members.sum(0) == 1).all()
    cell = CELLS.index(("male", "Indian"))
    assert bool(members[both.values.index("Indian | male"), cell])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing that is 'a female sheriff'"):
        MEANINGS.weights("a female sheriff")
    with pytest.raises(UsageError, match="unknown attribute of the mixture 'age'"):
        MEANINGS.members(ATTRIBUTES["age"])


@given(st.text(max_size=60))
def test_any_text_has_a_law(text: str) -> None:
    try:
        weights = MEANINGS.weights(text)
    except UsageError:
        return
    assert (weights >= 0).all()
    assert float(weights.sum()) == pytest.approx(1)


@given(
    st.lists(st.sampled_from(["nurse", "sheriff", "male", "asian", "east asian", "white", "a"]), max_size=5)
)
def test_words_in_any_order_name_the_same(words: list[str]) -> None:
    """Order decides only which of two occupations counts."""
    if {"nurse", "sheriff"} <= set(words):
        return
    try:
        weights = MEANINGS.weights(", ".join(words))
    except UsageError:
        with pytest.raises(UsageError):
            MEANINGS.weights(", ".join(reversed(words)))
        return
    torch.testing.assert_close(weights, MEANINGS.weights(", ".join(reversed(words))))
