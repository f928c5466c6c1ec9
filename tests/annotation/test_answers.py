"""Answers are durable, can be taken back, and belong to one annotator each."""

from __future__ import annotations

import json

import pytest

from fairaudit.annotation.answers import Answer, Answers, Question, all_answers
from fairaudit.errors import UsageError
from tests.annotation.sessions import HOSTILE

ONE, TWO = (Question("baseline", HOSTILE, index, "gender", weight=2.5) for index in range(2))


def test_what_was_answered_is_there_for_who_comes_back(tmp_path) -> None:
    first = Answers(tmp_path, "ada")
    first.add(Answer(ONE, "female"))
    first.add(Answer(TWO, None))
    first.add(Answer(ONE, "male"))
    again = Answers(tmp_path, "ada")
    assert again.given == first.given == [Answer(TWO, None), Answer(ONE, "male")]
    again.undo(ONE)
    assert Answers(tmp_path, "ada").given == [Answer(TWO, None)]
    lines = (tmp_path / "annotations" / "ada.jsonl").read_text().splitlines()
    assert [json.loads(line)["weight"] for line in lines] == [2.5] * 4
    assert Answers(tmp_path, "bob").given == []


def test_a_line_that_a_crash_cut_off_costs_that_answer_alone(tmp_path) -> None:
    answers = Answers(tmp_path, "ada")
    answers.add(Answer(ONE, "female"))
    answers.add(Answer(TWO, "male"))
    whole = answers.path.read_bytes()
    for cut in (1, 2, 40):
        answers.path.write_bytes(whole[:-cut])
        left = Answers(tmp_path, "ada")
        assert left.find(ONE) == Answer(ONE, "female")
        left.add(Answer(TWO, None))
        assert Answers(tmp_path, "ada").given == [Answer(ONE, "female"), Answer(TWO, None)]


@pytest.mark.parametrize("name", ["", "../ada", "a/b", ".hidden", "a\0b", "a\nb", "x" * 65, "-rf", "C:\\x"])
def test_names_that_are_no_file_names_are_refused(tmp_path, name: str) -> None:
    with pytest.raises(UsageError, match="names a file"):
        Answers(tmp_path, name)
    assert not (tmp_path / "annotations").exists()


def test_names_of_people_are_fine(tmp_path) -> None:
    for name in ("Zoë van den Berg", "李雷", "rater-2.b"):
        Answers(tmp_path, name).add(Answer(ONE, "female"))
    assert sorted(answers.annotator for answers in all_answers(tmp_path)) == sorted(
        ["Zoë van den Berg", "李雷", "rater-2.b"]
    )


@pytest.mark.parametrize("line", ["nonsense\n", "[1, 2]\n", '{"sampler": "baseline"}\n', '{"index": "x"}\n'])
def test_files_of_something_else_are_named(tmp_path, line: str) -> None:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "ada.jsonl").write_text(line + line)
    with pytest.raises(UsageError, match=r"ada\.jsonl"):
        Answers(tmp_path, "ada")
