"""Prompts with a slot for the word of a value, and the sets that come with the package."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from fairaudit.attributes import Attribute
from fairaudit.errors import UsageError, reason_of, unknown
from fairaudit.prompt_sets import PUBLISHED, published

SLOT = "{attribute}"
"""Where a prompt takes the word of a value, for example `a photo of a {attribute} nurse`."""

EXACT = "{attribute!}"
"""The same, but the neutral prompt keeps the article before it: published ones ask for `a accountant`."""

_OTHER_SLOT = re.compile(r"\{\w+!?\}")

_AN = re.compile(r"(?!uni|use|eu|one\b)[aeiou]|hour|honest|heir", re.IGNORECASE)
"""How a word begins that takes "an"."""


@dataclass(frozen=True)
class Prompt:
    """A prompt that can be asked neutrally or with the word of a value.

    Examples
    --------
    >>> prompt = Prompt("a photo of a {attribute} engineer")
    >>> prompt.text, prompt.with_word("female")
    ('a photo of an engineer', 'a photo of a female engineer')
    >>> Prompt("a doctor at work").with_word("female")
    'a doctor at work, female'
    """

    template: str

    @property
    def parts(self) -> tuple[str, str] | None:
        """What stands before and after the slot; None where there is none."""
        for slot in (SLOT, EXACT):
            if slot in self.template:
                before, _, after = self.template.partition(slot)
                return before, after
        return None

    @property
    def text(self) -> str:
        """The neutral prompt; it names the prompt in every table."""
        if self.parts is None:
            return self.template
        before, after = self.parts
        return (
            f"{before}{after.lstrip()}".strip() if EXACT in self.template else _join(before, after.lstrip())
        )

    def with_word(self, word: str) -> str:
        """The prompt that asks for `word`, in the slot or, where there is none, at the end."""
        if self.parts is None:
            return f"{self.template}, {word}"
        before, after = self.parts
        return _join(before, f"{word} {after.lstrip()}".strip())

    def with_value(self, attribute: Attribute, value: str) -> str:
        """The prompt that asks for a value of an attribute."""
        return self.with_word(attribute.words[value])


def _join(before: str, rest: str) -> str:
    """Both parts, with the article that the second takes."""
    ending = "n" if _AN.match(rest) else ""
    before = re.sub(r"\b(a)n?(\s+)$", rf"\1{ending}\2", before, flags=re.IGNORECASE)
    return f"{before}{rest}".strip()


_PHOTO = f"a photo of a {SLOT} {{occupation}}"

# Occupations of the built-in model, by the share of women in its training data.
_MOSTLY_MEN = ("mechanic", "carpenter", "electrician", "firefighter", "painter", "machinist", "engineer")
_MORE_MEN = (
    "programmer", "chef", "architect", "officer", "janitor", "lawyer", "doctor", "manager", "scientist",
)  # fmt: skip
_MORE_WOMEN = (
    "salesperson", "broker", "accountant", "baker", "clerk", "psychologist", "teacher", "cashier",
)  # fmt: skip
_MOSTLY_WOMEN = ("librarian", "nurse", "receptionist", "hairdresser", "secretary", "dietitian")

_OCCUPATIONS: Mapping[str, tuple[str, ...]] = {
    "demo": ("carpenter", "architect", "cashier", "nurse"),
    "occupations": (*_MOSTLY_MEN, *_MORE_MEN, *_MORE_WOMEN, *_MOSTLY_WOMEN),
}

PROMPT_SETS: Mapping[str, tuple[str, ...]] = {
    **{
        name: tuple(_PHOTO.replace("{occupation}", occupation) for occupation in occupations)
        for name, occupations in _OCCUPATIONS.items()
    },
    "person": (_PHOTO.replace("{occupation}", "person"),),
}
"""Prompt sets of the built-in model by name: templates with the slot for an attribute's word."""


def resolve_prompts(requested: Sequence[str]) -> tuple[str, ...]:
    """Templates of what the user named: prompt sets, files (.yaml, .txt), or prompts themselves.

    Anything with a space or the slot in it is a prompt; a file holds one prompt a line, or a YAML
    list, or a YAML mapping with ``template`` and ``occupations``.

    Raises
    ------
    UsageError
        If a name is no prompt set and no file, a file holds no prompts, or a prompt has a slot that is none.
    """
    templates: list[str] = []
    for entry in requested:
        if entry in PROMPT_SETS:
            templates += PROMPT_SETS[entry]
        elif entry in PUBLISHED:
            templates += published(entry).templates
        elif Path(entry).suffix in {".yaml", ".yml", ".txt"}:
            templates += _read(Path(entry))
        elif " " in entry.strip() or SLOT in entry:
            templates.append(entry.strip())
        else:
            raise unknown("prompt set", entry, [*PROMPT_SETS, *PUBLISHED])
    for template in templates:
        for slot in _OTHER_SLOT.findall(template):
            if slot not in (SLOT, EXACT):
                raise UsageError(
                    f"the prompt {template!r} has a slot {slot}, which nothing fills: the word of a value "
                    f"goes to {SLOT}, and {{occupation}} belongs into the template of a file"
                )
    return tuple(dict.fromkeys(templates))


def _read(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
        content = text.splitlines() if path.suffix == ".txt" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"cannot read prompts from {path}: {reason_of(error)}") from error
    if isinstance(content, dict) and isinstance(content.get("occupations"), list):
        template = str(content.get("template", _PHOTO))
        content = [template.replace("{occupation}", str(name)) for name in content["occupations"]]
    if not isinstance(content, list) or not all(isinstance(line, str) for line in content):
        raise UsageError(f"{path}: expected one prompt a line, or a YAML list of prompts")
    prompts = [line.strip() for line in content if line.strip()]
    if not prompts:
        raise UsageError(f"{path}: holds no prompts")
    return prompts
