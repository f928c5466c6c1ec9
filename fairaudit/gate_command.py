"""The command `fairaudit gate`: an exit code from a finished run, for scripts and CI."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairaudit.offline import Offline

if TYPE_CHECKING:
    from fairaudit.gating import Judgement

EXIT_CODES = {"passed": 0, "failed": 3, "not enough evidence": 4}
_COLOURS = {"passed": "green", "failed": "red", "not enough evidence": "yellow"}


def gate(
    run: Annotated[Path, typer.Argument(help="A finished run, or a results.json.")],
    rules: Annotated[
        list[str] | None,
        typer.Argument(
            help='Limits such as "switching:gender.fd_prompts <= 0.1 within 0.02", "switching vs baseline '
            'gender.fd <= 0", or YAML files with a list of them. [default: every verdict is fair]',
            show_default=False,
        ),
    ] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the judgements as JSON.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the judgements as JSON, too.", show_default=False)
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(help="Write them as JUnit XML, too.", show_default=False)
    ] = None,
    offline: Offline = False,
) -> None:
    """Hold a finished run to limits: exit 0 passed, 3 failed, 4 not enough evidence."""
    from fairaudit.errors import UsageError
    from fairaudit.gating import judge, read_rules, together
    from fairaudit.junit import describe, to_junit
    from fairaudit.results import Results
    from fairaudit.store import write

    path = run if run.suffix == ".json" else run / "results.json"
    if not path.exists():
        raise UsageError(f"{path} does not exist; name a finished run")
    results = Results.load(path)
    judgements = judge(results, read_rules(rules or []))
    outcome = together(judgements)
    if junit is not None:
        write(junit, to_junit({"fairaudit.gate": judgements}))
    said = dumps({"outcome": outcome, "rules": [_record(one) for one in judgements]}, indent=1)
    if out is not None:
        write(out, f"{said}\n".encode())
    if json:
        typer.echo(said)
    else:
        for one in judgements:
            typer.secho(f"{one.outcome:<20}", fg=_COLOURS[one.outcome], nl=False)
            typer.echo(f" {one.rule.text}: {describe(one)}")
        typer.secho(outcome, fg=_COLOURS[outcome], bold=True)
    raise typer.Exit(EXIT_CODES[outcome])


def _record(judgement: Judgement) -> dict[str, object]:
    return {
        "rule": judgement.rule.text,
        "outcome": judgement.outcome,
        "estimate": judgement.estimate.model_dump(),
        "images": judgement.images,
        "note": judgement.note,
        "limit": None if judgement.rule.metric.endswith(".verdict") else asdict(judgement.rule)["limit"],
    }
