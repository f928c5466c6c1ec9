"""The texts that a contrastive model compares pictures with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from fairaudit.attributes import ATTRIBUTES, Attribute
from fairaudit.outputs import Described, Positive

TEMPLATES = ("a photo of {}", "a portrait of {}", "a close-up of the face of {}")
SPOKEN = ("gender", "race", "age")
"""The built-in attributes that are texts of their own."""


class Prompts(Described):
    """The texts that values are described by.

    Attributes
    ----------
    attributes
        By attribute and value, what takes the place of `{}` in the templates; those that are not built
        in are added.
    margin
        Without a label are pictures whose two most probable values are closer than this.
    """

    attributes: dict[str, dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]] = Field(
        default_factory=dict
    )
    templates: tuple[str, ...] = Field(TEMPLATES, min_length=1)
    temperature: Positive = 1.0
    margin: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _usable(self) -> Prompts:
        for template in self.templates:
            if template.count("{}") != 1:
                raise ValueError(f"the template {template!r} needs the place {{}} once")
        for name, values in self.attributes.items():
            if len(values) < 2:
                raise ValueError(f"attributes.{name} needs at least two values")
        return self

    def texts(self) -> dict[str, dict[str, list[str]]]:
        """By attribute and value: every template with every word."""
        words = {name: _words(ATTRIBUTES[name]) for name in SPOKEN} | self.attributes
        return {
            name: {
                value: [t.replace("{}", word) for t in self.templates for word in of]
                for value, of in v.items()
            }
            for name, v in words.items()
        }


def _words(attribute: Attribute) -> dict[str, tuple[str, ...]]:
    return {value: (_with_article(attribute.concept(value)),) for value in attribute.values}


def _with_article(phrase: str) -> str:
    return f"{'an' if phrase[0].lower() in 'aeiou' else 'a'} {phrase}"
