"""From a run to what an annotator is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from fairaudit.annotation.answers import Answers, Question, all_answers
from fairaudit.annotation.drawing import Draw, draw_name, draw_questions
from fairaudit.annotation.pictures import RunPictures
from fairaudit.annotation.session import Session
from fairaudit.errors import UsageError, unknown
from fairaudit.plan import AuditPlan
from fairaudit.results import Results
from fairaudit.store import Run
from fairaudit.tables import is_label_table


def open_session(folder: Path, attributes: Sequence[str], count: int, annotator: str, draw: str) -> Session:
    """An annotator's work on a run, begun or gone on with.

    Raises
    ------
    UsageError
        If the folder holds no finished run with pictures, the run does not read an attribute, or
        others have labelled another draw of it.
    """
    if draw not in get_args(Draw):
        raise unknown("draw", draw, get_args(Draw))
    if not (folder / "results.json").exists():
        raise UsageError(f"{folder} holds no finished run: results.json is not there")
    plan, run = AuditPlan.load(folder / "plan.yaml"), Run(folder)
    if is_label_table(plan.generator):
        raise UsageError(f"{folder} measured a table of labels: it has no pictures to look at")
    asked = list(dict.fromkeys(attributes)) or list(plan.attributes[:1])
    for name in asked:
        if name not in plan.attributes:
            raise unknown("attribute of the run", name, plan.attributes)
    wanted = draw_name(asked[0] if draw == "stratified" else None)
    for others in all_answers(folder):
        _check_draw(others, asked, wanted)
    samplers = list(Results.load(folder / "results.json").samplers)
    questions = draw_questions(
        run, plan, samplers, asked, count=count, draw="random" if draw == "random" else "stratified"
    )
    pictures = RunPictures(run, plan, samplers)
    values = {name: plan.attribute(name).values for name in asked}
    return Session(questions, values, Answers(folder, annotator), pictures)


def _check_draw(others: Answers, asked: Sequence[str], draw: str) -> None:
    """What is labelled together must have been drawn alike, or nobody knows what it stands for."""
    given: list[Question] = [answer.question for answer in others.given]
    other = next((one for one in given if one.attribute in asked and one.draw != draw), None)
    if other is not None:
        raise UsageError(
            f"{others.annotator} has labelled {other.attribute} of pictures drawn {other.draw}, not {draw}; "
            "use the same --draw, with the same first --attribute"
        )
