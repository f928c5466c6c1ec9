"""The command `fairaudit annotate`: people label some of a run's pictures, on a page of this machine."""

from __future__ import annotations

from contextlib import suppress
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairaudit.offline import Offline

if TYPE_CHECKING:
    from fairaudit.annotation.session import Session


def annotate(
    run: Annotated[Path, typer.Argument(help="The directory of a finished run.")],
    *,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="What to ask; repeat for several. [default: the run's first attribute]", show_default=False
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Pictures, spread evenly over the samplers.")] = 200,
    annotator: Annotated[
        str, typer.Option(help="Who labels: names the file of answers. Another name starts afresh.")
    ] = "annotator",
    draw: Annotated[
        str, typer.Option(help="random, or stratified by the classifier's label and the prompt.")
    ] = "random",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 is a free one.")] = 0,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print where the page is, and at last what there is: JSON, a line each."),
    ] = False,
    offline: Offline = False,
) -> None:
    """Label pictures of a run by hand, one at a time; the same command goes on where it was left."""
    from fairaudit.annotation.opening import open_session
    from fairaudit.annotation.server import serving

    session = open_session(run, attribute or [], count, annotator, draw)
    with serving(session, port) as address:
        if json:
            typer.echo(dumps({"address": address, **progress(session)}))
        else:
            typer.echo(f"{session.answered} of {len(session.questions)} labelled; open {address}")
            typer.echo("1-9 choose a value, 0 cannot tell, Z takes back, arrows look around; Ctrl-C ends")
        wait()
    typer.echo(dumps(progress(session)) if json else f"\n{summary(session, run)}")


def wait() -> None:
    """Until Ctrl-C."""
    from threading import Event

    with suppress(KeyboardInterrupt):
        Event().wait()


def progress(session: Session) -> dict[str, Any]:
    """How much is labelled, by whom, and where it lies, for programs."""
    return {
        "annotator": session.answers.annotator,
        "labelled": session.answered,
        "questions": len(session.questions),
        "answers": str(session.answers.path),
    }


def summary(session: Session, run: Path) -> str:
    """What there is now, and how the run's numbers come to use it."""
    from shlex import quote

    from fairaudit.plan import AuditPlan

    done, total = session.answered, len(session.questions)
    left = "" if done == total else f", {total - done} left; the same command goes on"
    plan = AuditPlan.load(run / "plan.yaml")
    command = "compare" if plan.samplers else "audit"
    place = quote(str(run))
    return (
        f"{done} of {total} labelled by {session.answers.annotator}{left}\n{session.answers.path}\n"
        f"measure again with them: fairaudit {command} --plan {place}/plan.yaml --out {place}\n"
        f"calibrate on them: fairaudit calibrate {plan.classifier} {place} --out CALIBRATION"
    )
