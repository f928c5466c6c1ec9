"""`fairaudit power` answers before an audit is made."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

Fairaudit = Callable[..., int]


def answers(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_labels_as_they_are_follow_wilson(fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]) -> None:
    # At 1/2 the Wilson half-width is z / (2 sqrt(n + z^2)): 0.05 takes z^2 (100 - 1) images.
    assert fairaudit("power", "--classifier", "none", "--half-width", 0.05, "--json") == 0
    (answer,) = answers(capsys)
    assert answer["images"] == 381


def test_errors_of_the_classifier_cost_images(
    fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = []
    for accuracy in (0.99, 0.9, 0.8):
        arguments = ("--accuracy", accuracy, "--faces", 5000, "--discrepancy", 0.2, "--json")
        assert fairaudit("power", *arguments) == 0
        sizes.append(int(str(answers(capsys)[0]["images"])))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_what_no_number_of_images_gives_is_said(
    fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fairaudit("power", "--accuracy", 0.8, "--faces", 100, "--half-width", 0.01, "--json") == 4
    (answer,) = answers(capsys)
    assert answer["images"] is None
    assert "calibrate on at least" in str(answer["reason"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--half-width", 2], "half-width"),
        (["--accuracy", 0.4], "chance"),
        (["--attribute", "gendre"], "did you mean 'gender'"),
        (["--target", "female:1"], "exactly female, male"),
        (["--prompts", 0, "--discrepancy", 0.1], "at least one prompt"),
    ],
)
def test_wrong_questions_are_one_sentence(
    arguments: list[object], words: str, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fairaudit("power", *arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
