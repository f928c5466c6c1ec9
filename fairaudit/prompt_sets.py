"""Prompt sets that the literature reports on, by name; each file says where it is from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import yaml

from fairaudit.errors import UsageError
from fairaudit.models.builtin import asset

PUBLISHED = ("winobias", "winobias-extended", "fair-diffusion", "labour")
"""Names of the published sets."""

LABOUR = "labour"
"""The set whose occupations come with the share of women among those who work in them."""

LABOUR_SOURCE = (
    "the share of women among those employed in the occupation in the United States, 2015 or 2016 (Bureau of "
    "Labor Statistics, as published by Rudinger et al. 2018 with the Winogender schemas)"
)

_BEFORE = re.compile(r"\b(?:an?|the|of|successful)\s+", re.IGNORECASE)
"""Words that an occupation follows."""


@dataclass(frozen=True)
class PublishedSet:
    """Prompts that others have published numbers of.

    Attributes
    ----------
    templates
        One a prompt, with the slot for an attribute's word: every occupation under every template.
    women
        Percentage of women among those employed in an occupation, where the set has it.
    """

    templates: tuple[str, ...]
    source: str
    licence: str
    women: Mapping[str, float]


@cache
def published(name: str) -> PublishedSet:
    """The set of that name, one of `PUBLISHED`."""
    content = yaml.safe_load((asset("prompts") / f"{name}.yaml").read_text(encoding="utf-8"))
    women = content.get("women", {})
    return PublishedSet(
        tuple(
            template.replace("{occupation}", occupation)
            for occupation in content.get("occupations", women)
            for template in content["templates"]
        ),
        content["source"],
        content["licence"],
        women,
    )


def occupation_of(prompt: str) -> str:
    """What a neutral prompt asks for: what follows the last article before a comma.

    Examples
    --------
    >>> occupation_of("Photo of nurse"), occupation_of("a photo of a plane mechanic, at work")
    ('nurse', 'plane mechanic')
    """
    return _BEFORE.split(re.split(r"[,.;:]", prompt)[0])[-1].strip().lower()


def labour_targets(prompts: Iterable[str]) -> dict[str, dict[str, float]]:
    """For every neutral prompt the share of women and men among those employed in its occupation.

    Raises
    ------
    UsageError
        If the statistics do not know an occupation.
    """
    women = published(LABOUR).women
    asked = {prompt: occupation_of(prompt) for prompt in prompts}
    absent = [occupation for occupation in dict.fromkeys(asked.values()) if occupation not in women]
    if absent:
        raise UsageError(
            f"the labour statistics do not know {', '.join(absent)}; they know {', '.join(sorted(women))}"
        )
    # Percentages have two decimals.
    shares = {prompt: round(women[occupation] / 100, 4) for prompt, occupation in asked.items()}
    return {prompt: {"female": share, "male": round(1 - share, 4)} for prompt, share in shares.items()}


def are_labour(targets: Mapping[str, Mapping[str, float]]) -> bool:
    """Whether these targets of gender are the labour statistics of their prompts."""
    try:
        return labour_targets(targets) == targets
    except UsageError:
        return False
