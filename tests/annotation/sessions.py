"""Sessions of annotators on pictures that are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fairaudit.annotation.answers import Answers, Question
from fairaudit.annotation.session import Session
from fairaudit.store import png

VALUES = {"gender": ("female", "male")}
HOSTILE = '"><script>alert(1)</script>\n{"undo": true}'


def picture(sampler: str, prompt: str | None, index: int) -> bytes:
    """Another one for every index."""
    image = np.random.default_rng(index).integers(256, size=(48, 64, 3), dtype=np.uint8)
    return png(image)


def session(run: Path, annotator: str = "ada", count: int = 4, values=VALUES) -> Session:
    questions = [Question("switching", HOSTILE, index, name) for index in range(count) for name in values]
    return Session(questions, values, Answers(run, annotator), picture)
