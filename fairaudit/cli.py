"""The command line: parses, calls, prints. Heavy imports happen inside the commands."""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

import fairaudit
from fairaudit.annotate_command import annotate
from fairaudit.answering import AnswerFile, answer
from fairaudit.calibrate_command import calibrate
from fairaudit.doctor_command import doctor
from fairaudit.errors import FairauditError, NotEnoughEvidenceError, UsageError
from fairaudit.fetch_command import fetch
from fairaudit.gate_command import gate
from fairaudit.head_command import heads
from fairaudit.label_command import label
from fairaudit.offline import Offline
from fairaudit.options import Options, with_options
from fairaudit.report_command import report
from fairaudit.transition.command import tau

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairaudit.plan import AuditPlan

INTERRUPTED = 130
_CANNOT_WRITE = {
    getattr(errno, name)
    for name in (
        "EACCES",
        "EPERM",
        "EEXIST",
        "ENOTDIR",
        "EISDIR",
        "EROFS",
        "ENOSPC",
        "EDQUOT",
        "ENAMETOOLONG",
    )
}


class _Commands(TyperGroup):
    """The commands; what holds for all of them."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Refuse words that say nothing, such as those of a variable that a script has not set."""
        for before, word in pairwise(args):
            option, equals, value = word.partition("=")
            empty = value if equals and option.startswith("--") and option != "--set" else word
            if not empty.strip(" ,"):
                name = option if equals else before if before.startswith("-") else "an argument"
                raise UsageError(f"{name} is empty; say what it should be, or leave it out")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Say a word where Ctrl-C ends a command, which typer does not."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _stop("stopped; what was finished is kept, the same command continues", INTERRUPTED)


app = typer.Typer(
    name="fairaudit",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Audit how fair an image generator is, and compare what debiasing samplers do about it.",
    epilog="Exit codes: 0 done, 1 crash, 2 bad input, 3 gate failed, 4 too few images or labels, "
    "130 interrupted.",
)

Source = Annotated[
    str | None,
    typer.Argument(
        help="A model (see MODEL of `compare`), images (a folder, zip or tar archive, Parquet file, run, or "
        "URL of one), or a table of labels (.csv, .parquet).",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Argument(
        help="builtin:faces64, analytic:gmm, the folder or hub id of a diffusers pipeline (Stable Diffusion, "
        "SDXL, SD3, FLUX, DiT, DDPM; ORG/MODEL@REVISION is one state of it), or "
        "BASE+FILE with a LoRA or replaced weights.",
        show_default=False,
    ),
]
Out = Annotated[Path, typer.Option(help="Run directory; the same command again continues in it.")]
Samplers = Annotated[
    str | None,
    typer.Option(
        help="Samplers to compare, separated by commas: NAME or LABEL=NAME; see `fairaudit list samplers`. "
        "`all` is every one that the model and the plan allow. "
        "[default: baseline,guidance,switching]",
        show_default=False,
    ),
]
Against = Annotated[
    list[str] | None,
    typer.Option(
        help="Another model, whose baseline is compared from the same noise, or images that are there "
        "already (a folder, archive, Parquet file or URL), or a table of labels; LABEL=NAME calls it so; "
        "repeatable.",
        show_default=False,
    ),
]
Sweep = Annotated[
    list[str] | None,
    typer.Option(
        help="Values of a sampler's parameter, each a sampler of its own: guidance.scale=1,2,4, or "
        "baseline.guidance_scale=1,4,8; several of one sampler make a grid; repeatable.",
        show_default=False,
    ),
]
COMPARED = "baseline,guidance,switching"
OneSampler = Annotated[
    str | None,
    typer.Option("--sampler", help="Sampler to audit. [default: baseline]", show_default=False),
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Json = Annotated[bool, typer.Option("--json", help="Print results.json on standard output and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Options of no command."""
    if version:
        typer.echo(fairaudit.__version__)
        raise typer.Exit


@app.command()
@with_options
def audit(
    options: Options,
    source: Source = None,
    out: Out = Path("runs/audit"),
    sampler: OneSampler = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Measure how biased a model's images are, or those of a folder, or labels that are there already."""
    names = [] if sampler is None else [sampler]
    _carry_out(_plan(source, names, options, given_allowed=True), out, device, json, quiet)


@app.command()
@with_options
def compare(
    options: Options,
    model: Model = None,
    out: Out = Path("runs/compare"),
    samplers: Samplers = None,
    against: Against = None,
    sweep: Sweep = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Compare debiasing samplers on the same noise: what helps, and what it costs."""
    wanted = samplers or ("" if options.plan else COMPARED)
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    plan = _plan(model, names, options, given_allowed=False, against=against or (), sweeps=sweep or ())
    if names == ["all"]:
        plan = _possible(plan, device)
    _carry_out(plan, out, device, json, quiet)


app.command()(tau)
app.command()(heads)
app.command()(label)
app.command()(calibrate)
app.command()(annotate)
app.command()(fetch)
app.command()(doctor)
app.command()(gate)
app.command()(report)


@app.command()
def power(
    attribute: Annotated[str, typer.Option(help="gender, race or age.")] = "gender",
    target: Annotated[
        str | None,
        typer.Option(help="Shares that are fair, or expected: female:0.6,male:0.4. [default: uniform]"),
    ] = None,
    half_width: Annotated[
        list[float] | None,
        typer.Option(help="How many images for intervals of ± this? Repeatable.", show_default=False),
    ] = None,
    discrepancy: Annotated[
        list[float] | None,
        typer.Option(help="How many images to find a generator that is this far off? Repeatable."),
    ] = None,
    chance: Annotated[float, typer.Option("--power", help="Chance to find it.")] = 0.8,
    level: Annotated[float, typer.Option(help="Error of tests and intervals.")] = 0.05,
    prompts: Annotated[int, typer.Option(help="Prompts that are tested together.")] = 1,
    classifier: Annotated[
        str, typer.Option(help="Whose calibration corrects the labels; none for labels as they are.")
    ] = "builtin:faces64-classifier",
    calibration: Annotated[
        Path | None, typer.Option(help="A calibration file instead.", show_default=False)
    ] = None,
    accuracy: Annotated[
        float | None,
        typer.Option(help="Accuracy of a classifier of which no more is known.", show_default=False),
    ] = None,
    faces: Annotated[int, typer.Option(help="Faces of each value that this accuracy was counted on.")] = 1000,
    json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
    out: AnswerFile = None,
    offline: Offline = False,
) -> None:
    """Say how many images an audit needs, before it is made."""
    from fairaudit.planning import parse_shares
    from fairaudit.powering import DISCREPANCIES, HALF_WIDTHS, Labeller, plan_size, print_answers

    asked = half_width or discrepancy
    answers = plan_size(
        attribute,
        "uniform" if target is None else parse_shares(target),
        Labeller(None if classifier == "none" else classifier, calibration, accuracy, faces),
        half_widths=half_width or (() if asked else HALF_WIDTHS),
        discrepancies=discrepancy or (() if asked else DISCREPANCIES),
        power=chance,
        level=level,
        prompts=prompts,
    )
    records = [one.as_record() for one in answers]
    answer(records, lambda: print_answers(answers), json=json, out=out)
    if all(one.result.images is None for one in answers):
        raise typer.Exit(NotEnoughEvidenceError.exit_code)


@app.command(name="list")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            help="models, samplers, classifiers, detectors, extractors, attributes, prompts or reports."
        ),
    ],
    parameters: Annotated[
        bool, typer.Option("--parameters", help="Also what --set takes for each sampler, with its default.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the list as JSON: text by name.")] = False,
    out: AnswerFile = None,
    offline: Offline = False,
) -> None:
    """Show what can be named on the command line."""
    from fairaudit.listing import describe, show

    described = list(describe(kind, parameters=parameters))
    texts = {name.strip(): text for name, text in described}
    answer(texts, lambda: show(described), json=json, out=out)


def _plan(
    source: str | None,
    samplers: list[str],
    options: Options,
    *,
    given_allowed: bool,
    against: Sequence[str] = (),
    sweeps: Sequence[str] = (),
) -> AuditPlan:
    from fairaudit.planning import build_plan

    return build_plan(
        source,
        options.plan,
        given_allowed=given_allowed,
        samplers=samplers,
        settings=options.set_ or [],
        prompts=options.prompts or [],
        targets=options.target or [],
        calibrations=options.calibration or [],
        fields=options.plan_fields,
        against=against,
        sweeps=sweeps,
    )


def _possible(plan: AuditPlan, device: str) -> AuditPlan:
    """The plan without the samplers that cannot be, which are named on standard error."""
    from fairaudit.auditing import without_impossible

    plan, left_out = without_impossible(plan, device)
    for why in left_out.values():
        typer.echo(f"left out: {why}", err=True)
    return plan


def _carry_out(plan: AuditPlan, out: Path, device: str, json: bool, quiet: bool) -> None:
    from fairaudit.auditing import audit as carry_out
    from fairaudit.progress import progress_bars
    from fairaudit.summary import print_summary

    try:
        with progress_bars(visible=not quiet) as bars:
            finished = carry_out(plan, out, device, bars)
    except KeyboardInterrupt:
        _stop(f"stopped; the same command again continues in {out}", INTERRUPTED)
    if json:
        typer.echo(finished.results.to_json(), nl=False)
    else:
        print_summary(finished)
    if not finished.results.measured:
        _stop("no attribute could be measured; the report says why", NotEnoughEvidenceError.exit_code)


def _stop(message: str, code: int) -> NoReturn:
    typer.secho(f"fairaudit: {message}", err=True, fg=typer.colors.RED)
    raise SystemExit(code)


def main() -> None:
    """Run the command line; every expected failure is one sentence and an exit code."""
    try:
        app()
    except FairauditError as error:
        _stop(str(error), error.exit_code)
    except OSError as error:
        if error.errno is None or error.errno not in _CANNOT_WRITE:
            raise
        reason = os.strerror(error.errno).lower()
        where = f" ({error.filename})" if error.filename else ""
        _stop(f"cannot write: {reason}{where}; what was finished is kept, the same command continues", 2)


if __name__ == "__main__":
    main()
