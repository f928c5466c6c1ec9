"""What annotators answered: one file each, one line an answer, durable as soon as it is given."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fairaudit.errors import UsageError, reason_of

FOLDER = "annotations"
NAME = r"[^\W_][\w .-]{0,63}"
"""What an annotator may be called: it names a file."""


@dataclass(frozen=True)
class Question:
    """One attribute of one image.

    Attributes
    ----------
    draw
        `random`, or `stratified by ATTRIBUTE`.
    stratum
        The group that the image was drawn from; empty for a plain random draw.
    weight
        How many images it stands for, the inverse of its chance to be drawn.
    """

    sampler: str
    prompt: str | None
    index: int
    attribute: str
    draw: str = "random"
    stratum: str = ""
    weight: float = 1.0

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells it from the others of a run."""
        return (self.sampler, self.prompt or "", self.index, self.attribute)


@dataclass(frozen=True)
class Answer:
    """What an annotator says to a question; None is "cannot tell"."""

    question: Question
    value: str | None


class Answers:
    """The answers of one annotator of a run.

    Raises
    ------
    UsageError
        If the name cannot name a file, or the file holds something else.
    """

    def __init__(self, run: Path, annotator: str) -> None:
        if not re.fullmatch(NAME, annotator):
            raise UsageError(
                f"annotator {annotator[:80]!r} names a file: use at most 64 letters, digits, spaces and -_., "
                "the first a letter or digit"
            )
        self.annotator, self.path = annotator, run / FOLDER / f"{annotator}.jsonl"
        self._given: dict[tuple[str, str, int, str], Answer] = {}
        for line in self._lines():
            self._take(line)

    @property
    def given(self) -> list[Answer]:
        """The answers that hold, in the order in which they were given."""
        return list(self._given.values())

    def find(self, question: Question) -> Answer | None:
        """The answer to a question, where there is one."""
        return self._given.get(question.key)

    def add(self, answer: Answer) -> None:
        """Keep an answer, instead of an earlier one to the same question."""
        self._append({**asdict(answer.question), "value": answer.value})

    def undo(self, question: Question) -> None:
        """Take back the answer to a question; the file still holds that it was given."""
        if question.key in self._given:
            self._append({**asdict(question), "undo": True})

    def _append(self, line: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            # A line that a crash cut off must not swallow this one.
            end = file.seek(0, os.SEEK_END)
            cut = False
            if end:
                file.seek(end - 1)
                cut = file.read(1) != b"\n"
            file.write(b"\n" * cut + json.dumps(line, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._take(line)

    def _lines(self) -> list[dict[str, Any]]:
        try:
            raw = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UsageError(f"cannot read {self.path}: {reason_of(error)}") from error
        lines = []
        for number, text in enumerate(raw, 1):
            if text.strip():
                try:
                    lines.append(dict(json.loads(text)))
                except (ValueError, TypeError):
                    if number < len(raw) and not _cut_off(text):
                        raise UsageError(f"{self.path}: line {number} is no answer") from None
        return lines

    def _take(self, line: dict[str, Any]) -> None:
        try:
            question = Question(
                str(line["sampler"]),
                None if line["prompt"] is None else str(line["prompt"]),
                int(line["index"]),
                str(line["attribute"]),
                str(line["draw"]),
                str(line["stratum"]),
                float(line["weight"]),
            )
            # An answer that is given again moves to the end, so that undo takes the last one.
            self._given.pop(question.key, None)
            if not line.get("undo"):
                value = line["value"]
                self._given[question.key] = Answer(question, None if value is None else str(value))
        except (KeyError, TypeError, ValueError):
            raise UsageError(f"{self.path}: a line is no answer: {json.dumps(line)[:80]}") from None


def _cut_off(text: bytes) -> bool:
    """Whether a line is the beginning of an answer that a crash cut off."""
    return text.startswith(b"{") and not text.rstrip().endswith(b"}")


def all_answers(run: Path) -> list[Answers]:
    """Everyone's answers to a run, by annotator."""
    return [Answers(run, path.stem) for path in sorted((run / FOLDER).glob("*.jsonl"))]
