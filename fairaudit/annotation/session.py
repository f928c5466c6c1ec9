"""One annotator at work: questions, pictures, answers, and where to go on."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

from PIL import Image

from fairaudit.annotation.answers import Answer, Answers, Question
from fairaudit.errors import UsageError
from fairaudit.pictures.decoding import decode

LONGEST = 1024
"""Pictures that are larger on a side are shown this large."""

Read = Callable[[str, str | None, int], bytes]


class Session:
    """The questions put to one annotator.

    Parameters
    ----------
    values
        The values of every attribute.
    read
        The file of a picture, by sampler, prompt and index.
    """

    def __init__(
        self,
        questions: Sequence[Question],
        values: Mapping[str, Sequence[str]],
        answers: Answers,
        read: Read,
    ) -> None:
        self.questions, self.values, self.answers, self.read = list(questions), values, answers, read
        self._lock = Lock()

    @property
    def state(self) -> dict[str, Any]:
        """What the page may know: no sampler, no prompt, no machine label."""
        found = [self.answers.find(question) for question in self.questions]
        return {
            "annotator": self.answers.annotator,
            "attributes": {name: list(values) for name, values in self.values.items()},
            "questions": [question.attribute for question in self.questions],
            "answers": [None if answer is None else {"value": answer.value} for answer in found],
        }

    @property
    def answered(self) -> int:
        """Questions that have an answer."""
        return sum(self.answers.find(question) is not None for question in self.questions)

    def answer(self, number: int, value: str | None) -> None:
        """Keep the answer to a question; None is "cannot tell".

        Raises
        ------
        UsageError
            If there is no such question, or no such value.
        """
        question = self._question(number)
        if value is not None and value not in self.values[question.attribute]:
            raise UsageError(f"{value!r} is no value of {question.attribute}")
        with self._lock:
            self.answers.add(Answer(question, value))

    def undo(self) -> int | None:
        """Take back the last answer that holds; returns its question, None where there is none."""
        places = {question.key: number for number, question in enumerate(self.questions)}
        with self._lock:
            for answer in reversed(self.answers.given):
                if answer.question.key in places:
                    self.answers.undo(answer.question)
                    return places[answer.question.key]
        return None

    def picture(self, number: int) -> bytes:
        """The picture of a question as PNG, decoded here so that nothing but its pixels gets out.

        Raises
        ------
        UsageError
            If there is no such question.
        ImageError
            If the picture is gone.
        """
        question = self._question(number)
        image = Image.fromarray(decode(self.read(question.sampler, question.prompt, question.index)))
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        return buffer.getvalue()

    def _question(self, number: int) -> Question:
        if not 0 <= number < len(self.questions):
            raise UsageError(f"there is no question {number}")
        return self.questions[number]
