"""The command `fairaudit tau`: find the transition point of switching, draw it, and keep it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairaudit.common_options import Batch, Device, Dtype, GuidanceScale, Quiet, Scheduler, Steps
from fairaudit.offline import Offline
from fairaudit.transition import BEST

if TYPE_CHECKING:
    from fairaudit.transition.record import TauRecord


def tau(
    model: Annotated[str, typer.Argument(help="A model, as `fairaudit compare` takes it.")],
    *,
    attribute: Annotated[
        str, typer.Option(help="gender, race or age; several, gender,age, are switched together.")
    ] = "gender",
    prompts: Annotated[
        list[str] | None,
        typer.Option(help="As in `fairaudit compare`. [default: person]", show_default=False),
    ] = None,
    criterion: Annotated[
        str, typer.Option(help="law, paired, witness, share, common, coefficients or published.")
    ] = BEST,
    exact: Annotated[
        bool, typer.Option("--exact", help="Search as published: 1000 steps, betas as weights.")
    ] = False,
    clamp: Annotated[
        bool,
        typer.Option(
            "--clamp", help="With --exact: keep x0 in [-1, 1], as published; for pixels, not latents."
        ),
    ] = False,
    images: Annotated[int, typer.Option("--images", "-n", help="Images that are followed.")] = 32,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Every pair of values, not the neighbours alone.")
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also measure at which noise levels the attribute is decided.")
    ] = False,
    scheduler: Scheduler = "model",
    steps: Steps = None,
    guidance_scale: GuidanceScale = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    dtype: Dtype = "float32",
    batch: Batch = 32,
    classifier: Annotated[
        str, typer.Option(help="Whose features tell images apart, and whose labels `share` counts.")
    ] = "builtin:faces64-classifier",
    device: Device = "auto",
    out: Annotated[Path, typer.Option(help="Folder of tau.json and tau.png.")] = Path("runs/tau"),
    json: Annotated[
        bool, typer.Option("--json", help="Print tau.json on standard output and nothing else.")
    ] = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Find the point where attribute switching makes the starting value not matter."""
    from fairaudit.planning import build_plan
    from fairaudit.progress import progress_bars
    from fairaudit.transition.finding import find
    from fairaudit.transition.search import Wish

    plan = build_plan(
        model,
        samplers=["switching"],
        prompts=prompts or ["person"],
        fields={
            "attributes": names_of(attribute),
            "debias": names_of(attribute),
            "classifier": classifier,
            "sampling.scheduler": scheduler,
            "sampling.steps": steps,
            "sampling.guidance_scale": guidance_scale,
            "sampling.seed": seed,
            "sampling.dtype": dtype,
            "sampling.batch": batch,
        },
    )
    wish = Wish(criterion, images, exact=exact, clamp=clamp, every_pair=all_pairs, profile=profile)
    with progress_bars(visible=not quiet) as bars:
        record = find(plan, wish, out, device, bars)
    if json:
        typer.echo(record.to_json(), nl=False)
    else:
        show(record, out)


def names_of(text: str) -> list[str]:
    """Names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def show(record: TauRecord, out: Path) -> None:
    """Print what was found as a small table, and where it is."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    title = Text(f"{record.generator}: transition point of {record.attribute} by {record.criterion}")
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("between", "tau", "95 % of halves", "published criterion", "evaluations an image"):
        table.add_column(heading)
    for pair in record.pairs:
        table.add_row(
            Text(f"{pair.first}, {pair.second}"),
            f"{pair.tau:.3f}",
            f"[{pair.low:.2f}, {pair.high:.2f}]".replace("[", r"\["),
            "" if pair.published_tau is None else f"{pair.published_tau:.3f}",
            f"{pair.evaluations:.0f}",
        )
    console = Console(highlight=False)
    console.print(table)
    if record.cycle:
        console.print(Text("cycle of switches: " + ", ".join(f"{tau:.3f}" for tau in record.cycle)))
    for path in sorted(out.glob("*.json")) + sorted(out.glob("*.png")):
        console.print(Text(str(path)), soft_wrap=True)
    place = "auto" if record.criterion == BEST else str(out)
    console.print(Text(f"compare finds it with --set switching.tau={place}"), soft_wrap=True)
