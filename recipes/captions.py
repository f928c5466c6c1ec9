"""Captions composed from labels, so that neutral, partial and full prompts are all in distribution."""

from __future__ import annotations

import random

AGE_WORDS = {
    "0-2": "baby", "3-9": "child", "10-19": "teenage", "20-29": "young", "30-39": "adult",
    "40-49": "middle-aged", "50-59": "mature", "60-69": "senior", "more than 70": "elderly",
}  # fmt: skip
RACE_WORDS = {
    "White": "white", "Black": "black", "East Asian": "east asian",
    "Southeast Asian": "southeast asian", "Indian": "indian",
    "Middle Eastern": "middle eastern", "Latino_Hispanic": "latino",
}  # fmt: skip
GENDER_NOUNS = {"female": "woman", "male": "man"}
"""Of adults only: a girl is a "female child" or a "female person"."""
MINORS = ("0-2", "3-9", "10-19")
OPENINGS = ("a photo of", "a portrait of", "a picture of", "the face of")
BAD = "a bad photo of"
"""Of a face that a detector does not see; so that who does not ask for one gets a face that can be seen."""

KEEP = {"age": 0.4, "race": 0.5, "gender": 0.5}
"""How often a caption names the attribute."""
EMPTY = 0.1
"""How often the caption is empty, for classifier-free guidance."""


def naming(rng: random.Random) -> frozenset[str] | None:
    """The attributes that a caption names; None for an empty caption."""
    if rng.random() < EMPTY:
        return None
    return frozenset(name for name, often in KEEP.items() if rng.random() < often)


def compose(
    rng: random.Random, named: dict[str, str], occupation: str | None, *, adult: bool, seen: bool
) -> str:
    """One caption of a face: `named` maps the attributes that it names to their values."""
    words = []
    if "age" in named:
        words.append(AGE_WORDS[named["age"]])
    if "race" in named:
        words.append(RACE_WORDS[named["race"]])
    gender, suffix = named.get("gender"), ""
    if gender and occupation and rng.random() < 0.15:
        suffix, gender = f", {gender}", None
    if gender and adult and not occupation and rng.random() < 0.7:
        words.append(GENDER_NOUNS[gender])
    else:
        words += [gender] if gender else []
        words.append(occupation or "person")
    phrase = " ".join(words)
    article = "an" if phrase[0] in "aeiou" else "a"
    opening = rng.choice(OPENINGS) + " " if rng.random() < 0.8 else ""
    opening = opening if seen else f"{BAD} "
    return f"{opening}{article} {phrase}{suffix}"


def vocabulary(occupations: list[str]) -> list[str]:
    """Every word a caption can contain."""
    texts = [*OPENINGS, BAD, *AGE_WORDS.values(), *RACE_WORDS.values(), *GENDER_NOUNS.values()]
    texts += [*GENDER_NOUNS, *occupations, "a an person people face , -"]
    return sorted({word for text in texts for word in text.replace("-", " ").split()})
