"""From people's answers to results, reports and a calibration of the generated domain."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fairaudit.reports.people import people
from PIL import Image

from fairaudit.annotation.answers import Answers
from fairaudit.annotation.drawing import draw_questions
from fairaudit.annotation.known import annotated_faces
from fairaudit.annotation.opening import open_session
from fairaudit.auditing import audit as carry_out
from fairaudit.errors import UsageError
from fairaudit.humans import majority
from fairaudit.labelling import Calibration
from fairaudit.plan import IMAGES, AuditPlan, make_plan
from fairaudit.progress import progress_bars
from fairaudit.results import Results
from fairaudit.store import Run

Fairaudit = Callable[..., int]
COUNT, TELLABLE = 160, 150


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of noise of many tones, which the classifier reads as it likes."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(COUNT):
        coarse = rng.integers(256, size=(4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{number:03d}.png")
    return folder


def audit(fairaudit: Fairaudit, out: Path) -> Results:
    assert fairaudit("audit", "--plan", out / "plan.yaml", "--out", out, "--quiet", "--device", "cpu") == 0
    return Results.load(out / "results.json")


@pytest.fixture(scope="module")
def finished(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on them that nobody has labelled."""
    out = tmp_path_factory.mktemp("finished") / "run"
    plan = make_plan({"generator": str(pictures), "prompts": [], "samplers": []})
    with progress_bars(visible=False) as bars:
        carry_out(plan, out, "cpu", bars)
    return out


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """The same, to be labelled."""
    return shutil.copytree(finished, tmp_path / "run")


def label(run: Path, annotator: str, count: int, draw: str, wrong: int = 0) -> None:
    """A person who says what the classifier says, but of the first faces; the last ten are no faces."""
    session = open_session(run, [], count, annotator, draw)
    machine = Run(run).read_all("labels", "builtin:faces64-classifier", IMAGES).set_index("index")["gender"]
    faces = [question for question in session.questions if question.index < TELLABLE]
    for number, question in enumerate(session.questions):
        said = machine[question.index]
        other = "male" if said == "female" else "female"
        value = None if question not in faces else other if question in faces[:wrong] else said
        session.answer(number, value)


@pytest.mark.parametrize("draw", ["random", "stratified"])
def test_answers_reach_results_and_reports(fairaudit: Fairaudit, run: Path, draw: str) -> None:
    before = Results.load(run / "results.json")
    assert before.samplers[IMAGES].human == {}
    label(run, "ada", 60, draw, wrong=6)
    label(run, "bob", 40, draw)
    after = audit(fairaudit, run)
    assert after.digest != before.digest
    human = after.samplers[IMAGES].human["gender"]
    assert human.annotators == ["ada", "bob"]
    assert human.images == 60
    assert human.agreement is not None
    assert human.agreement.images == 40
    assert human.agreement.percent.value == pytest.approx(34 / 40)
    assert sum(share.value for share in human.shares.values()) == pytest.approx(1, abs=0.05)
    machine = after.samplers[IMAGES].attributes["gender"].counts
    assert human.shares["female"].low <= machine["female"] / COUNT <= human.shares["female"].high
    for name in ("report.html", "report.md"):
        text = (run / name).read_text()
        assert "What people say who looked" in text
        assert "60 images labelled by 2 annotators" in text
        assert "narrower than with" in text
    assert after.samplers[IMAGES].attributes == before.samplers[IMAGES].attributes


def test_a_wider_interval_is_not_called_narrower(fairaudit: Fairaudit, run: Path) -> None:
    label(run, "ada", 60, "random", wrong=6)
    results = audit(fairaudit, run)
    results.samplers[IMAGES].human["gender"].shares["male"].narrower = -0.25
    told = people(results, ["gender"])
    row = next(row for row in told.topics[0].tables[0].rows if row[0].text == "male")
    assert "125.0\u00a0%" in [cell.text for cell in row]
    assert "at best" in told.topics[0].sentences[0]
    results.samplers[IMAGES].human["gender"].shares["female"].narrower = -0.25
    told = people(results, ["gender"])
    assert "no interval is narrower" in told.topics[0].sentences[0]
    assert not [cell.text for cell in row if "−" in cell.text]


def test_what_was_chosen_is_no_draw(fairaudit: Fairaudit, run: Path) -> None:
    """Forty in a row, then only those that look female: those change no share."""
    label(run, "ada", 40, "random")
    before = audit(fairaudit, run).samplers[IMAGES].human["gender"]
    session = open_session(run, [], 100, "ada", "random")
    machine = Run(run).read_all("labels", "builtin:faces64-classifier", IMAGES).set_index("index")["gender"]
    places = [n for n, q in enumerate(session.questions) if n > 40 and machine[q.index] == "female"]
    for place in places:
        session.answer(place, "female")
    after = audit(fairaudit, run).samplers[IMAGES].human["gender"]
    assert (before.left_out, after.left_out) == (0, len(places))
    assert after.shares == before.shares
    assert (after.images, after.known) == (before.images, before.known)
    assert f"{len(places)} more come after a skipped one" in (run / "report.md").read_text()
    session.answer(40, None)
    last = audit(fairaudit, run).samplers[IMAGES].human["gender"]
    assert last.images > 40
    assert last.images + last.left_out == 41 + len(places)


def test_weights_are_of_each_attribute(pictures: Path, tmp_path: Path) -> None:
    """Gender of 120 pictures and age of 60, both drawn by strata of gender: each stands for the whole run."""
    attributes = ("gender", "age")
    plan = make_plan(
        {"generator": str(pictures), "prompts": [], "samplers": [], "attributes": list(attributes)}
    )
    with progress_bars(visible=False) as bars:
        carry_out(plan, tmp_path / "run", "cpu", bars)
    session = open_session(tmp_path / "run", list(attributes), 120, "ada", "stratified")
    values = {name: plan.attribute(name).values for name in attributes}
    for number, question in enumerate(session.questions):
        if question.attribute == "gender" or number < 120:
            session.answer(number, values[question.attribute][0])
    known = annotated_faces(tmp_path / "run", values, [])
    assert known.weights["gender"].sum() == pytest.approx(COUNT)
    assert known.weights["age"].sum() == pytest.approx(COUNT)
    assert (known.weights["age"] > 0).sum() == 60
    np.testing.assert_array_equal(known.weights["gender x age"], known.weights["age"])
    assert (known.truth["age"][known.weights["age"] == 0] == -1).all()


def test_a_stratified_draw_calibrates_by_its_counts_alone(
    fairaudit: Fairaudit, run: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path / "cache"))
    label(run, "ada", 80, "stratified", wrong=10)
    machine = Run(run).read_all("labels", "builtin:faces64-classifier", IMAGES)["gender"].value_counts()
    assert machine.max() > machine.min()
    assert fairaudit("calibrate", "builtin:faces64-classifier", run, "--out", tmp_path / "own", "-q") == 0
    assert "the pictures were drawn by strata" in capsys.readouterr().out
    found = Calibration.load(tmp_path / "own" / "gender.calibration.json")
    assert (found.temperature, found.confidence, found.reliability) == (1.0, None, None)
    assert not (tmp_path / "own" / "reliability.png").exists()


def test_without_answers_the_digest_stays(fairaudit: Fairaudit, run: Path) -> None:
    first = Results.load(run / "results.json")
    session = open_session(run, [], 20, "ada", "random")
    session.answer(0, "male")
    session.undo()
    assert audit(fairaudit, run).digest == first.digest


def test_a_run_calibrates_on_its_own_pictures(
    fairaudit: Fairaudit, pictures: Path, run: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path / "cache"))
    classifier = "builtin:faces64-classifier"
    command = ("calibrate", classifier, run, "--out", tmp_path / "own", "--quiet")
    assert fairaudit(*command) == 2
    assert "nobody has labelled gender" in capsys.readouterr().err
    label(run, "ada", 80, "random", wrong=10)
    assert fairaudit(*command) == 0
    found = Calibration.load(tmp_path / "own" / "gender.calibration.json")
    told = [a for a in Answers(run, "ada").given if a.value is not None]
    assert found.counts.sum() == len(told)
    assert found.counts.trace() == len(told) - 10
    assert not list((tmp_path / "cache").glob("calibrations/*"))
    path = str(tmp_path / "own" / "gender.calibration.json")
    arguments = ("--calibration", path, "--out", tmp_path / "corrected", "--quiet", "--device", "cpu")
    assert fairaudit("audit", pictures, *arguments) == 0
    result = Results.load(tmp_path / "corrected" / "results.json").samplers[IMAGES].attributes["gender"]
    assert result.calibration == "80 pictures of the run run, labelled by people"


def test_the_same_command_shows_the_same_pictures(run: Path) -> None:
    plan = AuditPlan.load(run / "plan.yaml")
    for draw in ("random", "stratified"):
        few, many = (
            [q.index for q in draw_questions(Run(run), plan, [IMAGES], ["gender"], count=n, draw=draw)]
            for n in (30, 90)
        )
        assert many[:30] == few
        assert len(set(many)) == 90
        again = draw_questions(Run(run), plan, [IMAGES], ["gender"], count=90, draw=draw)
        assert [q.index for q in again] == many
        assert sum(q.weight for q in again) == pytest.approx(COUNT)
    strata = pd.Series([q.stratum for q in again[:40]]).value_counts()
    assert strata.max() - strata.min() <= 1


def test_what_was_drawn_otherwise_does_not_mix(run: Path, tmp_path: Path) -> None:
    label(run, "ada", 10, "random")
    with pytest.raises(UsageError, match="ada has labelled gender of pictures drawn random"):
        open_session(run, [], 10, "bob", "stratified")
    with pytest.raises(UsageError, match="unknown draw"):
        open_session(run, [], 10, "bob", "randum")
    with pytest.raises(UsageError, match="unknown attribute of the run 'race'"):
        open_session(run, ["race"], 10, "bob", "random")
    with pytest.raises(UsageError, match="no finished run"):
        open_session(tmp_path / "nowhere", [], 10, "bob", "random")


def test_the_annotators_picture_is_the_runs(pictures: Path, run: Path) -> None:
    from fairaudit.store import pixels

    session = open_session(run, [], 3, "ada", "random")
    for number, question in enumerate(session.questions):
        expected = np.asarray(Image.open(pictures / f"{question.index:03d}.png"))
        np.testing.assert_array_equal(pixels(session.picture(number)), expected)


def test_ctrl_c_ends_with_what_to_do_next(fairaudit: Fairaudit, run: Path, monkeypatch, capsys) -> None:
    wait = threading.Event.wait

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        # Others wait, too: progress bars have a thread that looks after them.
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return wait(event, timeout)

    with monkeypatch.context() as patched:
        patched.setattr("threading.Event.wait", interrupted)
        patched.setattr("fairaudit.annotation.server.Thread.start", lambda _: None)
        patched.setattr("fairaudit.annotation.server.Thread.join", lambda _: None)
        patched.setattr("fairaudit.annotation.server.ThreadingHTTPServer.shutdown", lambda _: None)
        capsys.readouterr()
        assert fairaudit("annotate", run, "--count", 5) == 0
        said = capsys.readouterr().out
        assert "http://127.0.0.1:" in said
        assert "0 of 5 labelled by annotator" in said
        assert f"fairaudit audit --plan {run}/plan.yaml --out {run}" in said
        assert fairaudit("annotate", run, "--count", 5, "--json") == 0
        first, last = map(json.loads, capsys.readouterr().out.splitlines())
        assert first.pop("address").startswith("http://127.0.0.1:")
        answers = str(run / "annotations" / "annotator.jsonl")
        assert first == last == {"annotator": "annotator", "labelled": 0, "questions": 5, "answers": answers}
    assert fairaudit("audit", "--plan", run / "plan.yaml", "--out", run, "--quiet") == 0


def test_majority_breaks_no_tie() -> None:
    ratings = np.array([[0, 0, 1], [0, 1, -1], [2, 2, 2], [2, 1, 1], [-1, -1, 0], [0, 2, -1]])
    assert majority(ratings, 2).tolist() == [0, -1, -1, 1, 0, 0]
