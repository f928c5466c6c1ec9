"""The command `fairaudit heads`: train classifiers of a model's middle block, and keep them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairaudit.answering import answer
from fairaudit.common_options import Batch, Device, Dtype, GuidanceScale, Quiet, Scheduler, Steps
from fairaudit.offline import Offline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fairaudit.head_training import Accuracy


def heads(
    model: Annotated[str, typer.Argument(help="A model with a UNet, as `fairaudit compare` takes it.")],
    *,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="gender, race or age; repeat for several. [default: all that the classifier reads]",
            show_default=False,
        ),
    ] = None,
    prompts: Annotated[
        list[str] | None,
        typer.Option(help="As in `fairaudit compare`. [default: occupations and person]", show_default=False),
    ] = None,
    images: Annotated[int, typer.Option("--images", "-n", help="Images per prompt to learn from.")] = 40,
    scheduler: Scheduler = "model",
    steps: Steps = None,
    guidance_scale: GuidanceScale = None,
    seed: Annotated[int, typer.Option(help="Seed of the noise, another than audits use.")] = 1,
    dtype: Dtype = "float32",
    batch: Batch = 32,
    classifier: Annotated[
        str, typer.Option(help="Who labels the finished pictures.")
    ] = "builtin:faces64-classifier",
    device: Device = "auto",
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("heads.safetensors"),
    json: Annotated[
        bool, typer.Option("--json", help="Print how well each attribute is read, as JSON and nothing else.")
    ] = False,
    quiet: Quiet = False,
    offline: Offline = False,
) -> None:
    """Train classifiers of the UNet's middle block, for samplers that follow one."""
    from fairaudit.device import choose_device
    from fairaudit.folders import check_writable
    from fairaudit.head_training import train_heads
    from fairaudit.instruments import open_classifier
    from fairaudit.planning import build_plan
    from fairaudit.progress import progress_bars
    from fairaudit.recording import Setting
    from fairaudit.sources import open_model

    check_writable(out.parent)
    where = choose_device(device)
    reader = open_classifier(classifier, where)
    plan = build_plan(
        model,
        prompts=prompts or ["occupations", "person"],
        fields={
            "attributes": attribute or list(reader.values),
            "sampling.images_per_prompt": images,
            "sampling.scheduler": scheduler,
            "sampling.steps": steps,
            "sampling.guidance_scale": guidance_scale,
            "sampling.seed": seed,
            "sampling.dtype": dtype,
            "sampling.batch": batch,
        },
    )
    source = open_model(plan.generator)
    denoiser = source.load(where, plan.sampling)
    attributes = [plan.attribute(name) for name in plan.attributes]
    setting = Setting(denoiser, reader, attributes, plan.prompts, plan.sampling)
    with progress_bars(visible=not quiet) as bars:
        bar = bars.stage("recording", len(plan.prompts) * images)
        found = train_heads(setting, source.fingerprint(), out, bar.advance)
    accuracies = {name: asdict(accuracy) for name, accuracy in found.items()}
    answer({"path": str(out), "attributes": accuracies}, lambda: _show(found, out), json=json, out=None)


def _show(found: Mapping[str, Accuracy], out: Path) -> None:
    """How well each attribute is read at the start, in the middle and at the end."""
    for name, accuracy in found.items():
        last = len(accuracy.times) - 1
        places = dict.fromkeys((0, last // 2, last))
        recalls = ", ".join(
            f"{accuracy.mean_recall[place]:.2f} at time {accuracy.times[place]:.2f}" for place in places
        )
        typer.echo(f"{name}: mean recall {recalls}, on {accuracy.n} images held out")
    typer.echo(out)
