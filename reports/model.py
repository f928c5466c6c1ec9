"""What a report shows, as plain words: the one object that every format typesets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fairaudit.results import Verdict

Tone = Literal["fair", "unfair", "unsure", "plain"]

TONES: dict[Verdict, Tone] = {"fair": "fair", "unfair": "unfair", "not enough evidence": "unsure"}


@dataclass(frozen=True)
class Cell:
    """One table cell: the number, and below it in small print what belongs to the number.

    Parameters
    ----------
    sort
        What the column sorts by; None sorts last.
    note
        Number of the footnote that says why there is no value.
    hint
        Shown on hover: the reason, or the text that `text` shortens.
    heat
        How strongly the cell is shaded, from 0 to 1; None for tables without shades.
    """

    text: str
    details: tuple[str, ...] = ()
    sort: float | None = None
    note: int | None = None
    hint: str = ""
    tone: Tone = "plain"
    heat: float | None = None


@dataclass(frozen=True)
class Column:
    """The head of a column."""

    label: str
    hint: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table whose first column heads the rows; `notes` are its numbered footnotes."""

    key: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A drawing with colour tokens instead of colours (see `fairaudit.reports.figures`)."""

    svg: str
    alt: str
    title: str = ""


@dataclass(frozen=True)
class Fold:
    """Tables that most readers pass over: behind their title on a screen.

    Where `brief` is given, that sentence stands in their place on paper, which has no folds.
    """

    title: str
    tables: tuple[Table, ...]
    brief: str = ""


@dataclass(frozen=True)
class Topic:
    """One question: what its numbers mean in sentences, then the numbers, then how they were had.

    The title may be empty.
    """

    title: str
    sentences: tuple[str, ...]
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    folds: tuple[Fold, ...] = ()
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chapter:
    """Topics under one heading; `label` is the heading's short form, `key` its anchor."""

    key: str
    title: str
    label: str
    sentences: tuple[str, ...]
    topics: tuple[Topic, ...]


@dataclass(frozen=True)
class Card:
    """The verdict on one sampler in one attribute, with the numbers that carry it.

    The `gist` is what of the sentences stands beside a drawing of the shares.
    """

    attribute: str
    sampler: str
    verdict: Verdict
    tone: Tone
    gist: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """Everything about one attribute; `prompts_summary` stands before prompts in brief."""

    attribute: str
    flags: tuple[str, ...]
    panels: tuple[Figure, ...]
    key: Figure
    discrepancy: Table
    shares: Table
    tradeoff: tuple[Figure, ...]
    prompts: Table | None
    prompts_summary: Table | None = None


@dataclass(frozen=True)
class Shot:
    """One picture of the grid with the lines below it; `data` is a PNG or a JPEG."""

    data: bytes
    kind: Literal["png", "jpeg"]
    alt: str
    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Strip:
    """The same prompt and noise under every sampler; None where a sampler has no picture.

    Parameters
    ----------
    values
        The labels of its pictures.
    changed
        The attributes whose label is not the same under every sampler.
    """

    noise: str
    shots: tuple[Shot | None, ...]
    values: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reel:
    """The strips of one prompt."""

    prompt: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Grid:
    """The picture grid; `left_out` rows did not fit into the file.

    With one sampler there is nothing to hold side by side, and the pictures are shown as a wall.
    """

    title: str
    note: str
    samplers: tuple[str, ...]
    reels: tuple[Reel, ...]
    left_out: int

    @property
    def wall(self) -> bool:
        """Whether the pictures flow freely."""
        return len(self.samplers) == 1

    @property
    def values(self) -> tuple[str, ...]:
        """All labels that occur."""
        return tuple(dict.fromkeys(v for reel in self.reels for strip in reel.strips for v in strip.values))

    @property
    def changed(self) -> tuple[str, ...]:
        """The attributes whose label changes in some strip."""
        return tuple(dict.fromkeys(a for reel in self.reels for strip in reel.strips for a in strip.changed))


@dataclass(frozen=True)
class Recipe:
    """A sampler as it was run: what it is, its parameters, and what else must be said of it."""

    name: str
    title: str
    parameters: tuple[tuple[str, str], ...]
    about: str


@dataclass(frozen=True)
class Term:
    """A word of the report and what it means in plain words."""

    name: str
    meaning: str


@dataclass(frozen=True)
class Story:
    """A whole report in reading order.

    `stopping` is about a sequential audit, `findings` are chapters on what the numbers say, `across`
    and `changes` go with the prompts and the comparisons, and `checks` hold the verdict's footing.
    `facts` say what was audited, `overview` draws all verdicts, `unknowns` are what a summary must admit,
    and `formulas` name those of the method appendix. `prompts_note` says where the rest of prompts in
    brief is.
    """

    title: str
    subtitle: str
    leads: tuple[str, ...]
    notices: tuple[str, ...]
    advice: tuple[str, ...]
    cards: tuple[Card, ...]
    sections: tuple[Section, ...]
    quality: Table | None
    stopping: Topic | None
    findings: tuple[Chapter, ...]
    tradeoff_note: str
    grid: Grid | None
    across: Topic | None
    comparisons: Table | None
    changes: Topic | None
    checks: Chapter | None
    method: tuple[str, ...]
    samplers_title: str
    samplers: tuple[Recipe, ...]
    prompts: tuple[str, ...]
    caveats: tuple[str, ...]
    glossary: tuple[Term, ...]
    outcomes: Table
    skipped: tuple[tuple[str, str], ...]
    skipped_summary: str
    manifest: tuple[tuple[str, str], ...]
    attributions: tuple[str, ...]
    plan: str
    plan_digest: str
    command: str
    digest: str
    facts: tuple[tuple[str, str], ...] = ()
    overview: Figure | None = None
    unknowns: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()
    prompts_note: str = ""
