"""The command line: parses, calls, prints. Heavy imports happen inside the commands."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

import fairaudit
from fairaudit.errors import FairauditError

if TYPE_CHECKING:
    from fairaudit.plan import AuditPlan

INTERRUPTED = 130
_CANNOT_WRITE = {
    getattr(errno, name)
    for name in ("EACCES", "EPERM", "EEXIST", "ENOTDIR", "EISDIR", "EROFS", "ENOSPC", "EDQUOT")
}

app = typer.Typer(
    name="fairaudit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Audit how fair an image generator is, and compare what debiasing samplers do about it.",
    epilog="Exit codes: 0 done, 1 crash, 2 bad input, 4 too few images for a verdict, 130 interrupted.",
)

Source = Annotated[
    str | None,
    typer.Argument(
        help="builtin:faces64, a StableDiffusionPipeline folder, a hub id, or a folder of images.",
        show_default=False,
    ),
]
Model = Annotated[
    str | None,
    typer.Argument(
        help="builtin:faces64, a StableDiffusionPipeline folder, or a hub id.", show_default=False
    ),
]
Out = Annotated[Path, typer.Option(help="Run directory; the same command again continues in it.")]
PlanFile = Annotated[
    Path | None, typer.Option("--plan", help="A plan.yaml to start from.", show_default=False)
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        help="gender, race or age; repeat for several. [default: gender]",
        show_default=False,
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="What is fair: gender=uniform or gender=female:0.6,male:0.4.",
        show_default=False,
    ),
]
Prompts = Annotated[
    list[str] | None,
    typer.Option(
        help="A prompt set, a .txt or .yaml file, or a prompt with {attribute} where its word goes; "
        "repeatable. [default: demo]",
        show_default=False,
    ),
]
Samplers = Annotated[
    str | None,
    typer.Option(
        help="Samplers to compare, separated by commas; see `fairaudit list samplers`. "
        "[default: baseline,guidance,switching]",
        show_default=False,
    ),
]
COMPARED = "baseline,guidance,switching"
OneSampler = Annotated[
    str | None,
    typer.Option("--sampler", help="Sampler to audit. [default: baseline]", show_default=False),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="A sampler's parameter, such as switching.tau=0.6; repeatable.", show_default=False
    ),
]
Images = Annotated[
    int | None,
    typer.Option("--images", "-n", help="Images per prompt. [default: 64]", show_default=False),
]
Seed = Annotated[int | None, typer.Option(help="Seed of all noise. [default: 0]", show_default=False)]
Steps = Annotated[int | None, typer.Option(help="Steps of the scheduler. [default: 20]", show_default=False)]
GuidanceScale = Annotated[
    float | None,
    typer.Option(help="Weight of classifier-free guidance. [default: 4]", show_default=False),
]
Scheduler = Annotated[
    str | None,
    typer.Option(help="model (its own), ddim or dpmsolver++. [default: model]", show_default=False),
]
Dtype = Annotated[
    str | None, typer.Option(help="float32, bfloat16 or float16. [default: float32]", show_default=False)
]
Batch = Annotated[int | None, typer.Option(help="Rows of a network call. [default: 32]", show_default=False)]
Reference = Annotated[
    str | None,
    typer.Option(help="Folder of real images that quality is measured against.", show_default=False),
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
def audit(
    source: Source = None,
    out: Out = Path("runs/audit"),
    plan: PlanFile = None,
    attribute: Attributes = None,
    target: Targets = None,
    prompts: Prompts = None,
    sampler: OneSampler = None,
    set_: Settings = None,
    images: Images = None,
    seed: Seed = None,
    steps: Steps = None,
    guidance_scale: GuidanceScale = None,
    scheduler: Scheduler = None,
    dtype: Dtype = None,
    batch: Batch = None,
    reference: Reference = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure how biased a model's images are, or those of a folder."""
    names = [] if sampler is None else [sampler]
    fields = _fields(attribute, images, seed, steps, guidance_scale, scheduler, dtype, batch, reference)
    made = _plan(source, plan, names, set_, prompts, target, fields, folder_allowed=True)
    _carry_out(made, out, device, json, quiet)


@app.command()
def compare(
    model: Model = None,
    out: Out = Path("runs/compare"),
    plan: PlanFile = None,
    attribute: Attributes = None,
    target: Targets = None,
    prompts: Prompts = None,
    samplers: Samplers = None,
    set_: Settings = None,
    images: Images = None,
    seed: Seed = None,
    steps: Steps = None,
    guidance_scale: GuidanceScale = None,
    scheduler: Scheduler = None,
    dtype: Dtype = None,
    batch: Batch = None,
    reference: Reference = None,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare debiasing samplers on the same noise: what helps, and what it costs."""
    wanted = samplers or ("" if plan else COMPARED)
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    fields = _fields(attribute, images, seed, steps, guidance_scale, scheduler, dtype, batch, reference)
    made = _plan(model, plan, names, set_, prompts, target, fields, folder_allowed=False)
    _carry_out(made, out, device, json, quiet)


@app.command()
def report(run: Annotated[Path, typer.Argument(help="A run directory with results.json.")]) -> None:
    """Write the reports of a finished run again."""
    from fairaudit.auditing import rewrite_reports

    for path in rewrite_reports(run).values():
        typer.echo(path)


@app.command(name="list")
def list_(
    kind: Annotated[
        str, typer.Argument(help="models, samplers, classifiers, attributes, prompts or reports.")
    ],
) -> None:
    """Show what can be named on the command line."""
    from fairaudit.listing import describe

    for name, text in describe(kind):
        typer.echo(f"{name:<28} {text}")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="What to download: inception.")],
) -> None:
    """Download weights that are not in the package, checked by sha256."""
    from fairaudit.fetching import fetch_asset

    typer.echo(fetch_asset(name))


def _fields(
    attribute: list[str] | None,
    images: int | None,
    seed: int | None,
    steps: int | None,
    guidance_scale: float | None,
    scheduler: str | None,
    dtype: str | None,
    batch: int | None,
    reference: str | None,
) -> dict[str, Any]:
    return {
        "attributes": attribute or None,
        "sampling.images_per_prompt": images,
        "sampling.seed": seed,
        "sampling.steps": steps,
        "sampling.guidance_scale": guidance_scale,
        "sampling.scheduler": scheduler,
        "sampling.dtype": dtype,
        "sampling.batch": batch,
        "measurement.reference": reference,
    }


def _plan(
    source: str | None,
    plan_file: Path | None,
    samplers: list[str],
    settings: list[str] | None,
    prompts: list[str] | None,
    targets: list[str] | None,
    fields: dict[str, Any],
    *,
    folder_allowed: bool,
) -> AuditPlan:
    from fairaudit.planning import build_plan

    return build_plan(
        source,
        plan_file,
        folder_allowed=folder_allowed,
        samplers=samplers,
        settings=settings or [],
        prompts=prompts or [],
        targets=targets or [],
        fields=fields,
    )


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
    except KeyboardInterrupt:
        _stop("stopped", INTERRUPTED)


if __name__ == "__main__":
    main()
