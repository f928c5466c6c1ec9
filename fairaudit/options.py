"""The options that `audit` and `compare` share, declared once, and where in the plan they go."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

_WHAT, _IMAGES, _MEASURE = "What is audited", "How images are made", "How they are measured"


def _option(help_text: str, *names: str, panel: str) -> Any:
    return typer.Option(*names, help=help_text, show_default=False, rich_help_panel=panel)


@dataclass(frozen=True)
class Options:
    """What a command line may say about a plan; None is "not said", and the plan's default holds."""

    plan: Annotated[Path | None, _option("A plan.yaml to start from.", panel=_WHAT)] = None
    attribute: Annotated[
        list[str] | None,
        _option(
            "gender, race, age, or another that the classifier reads; repeat for several. [default: gender]",
            panel=_WHAT,
        ),
    ] = None
    target: Annotated[
        list[str] | None,
        _option(
            "What is fair: gender=uniform, gender=female:0.6,male:0.4, or gender=labour, for each prompt the "
            "share of women in its occupation (US labour statistics).",
            panel=_WHAT,
        ),
    ] = None
    prompts: Annotated[
        list[str] | None,
        _option(
            "A prompt set, a .txt or .yaml file, or a prompt with {attribute} where its word goes; "
            "repeatable. [default: demo]",
            panel=_WHAT,
        ),
    ] = None
    intersect: Annotated[
        list[str] | None,
        _option("Attributes to measure together: gender,race. [default: every pair]", panel=_WHAT),
    ] = None
    debias: Annotated[
        str | None,
        _option(
            "Attributes that samplers debias together: gender,race. [default: the first attribute]",
            panel=_WHAT,
        ),
    ] = None
    set_: Annotated[
        list[str] | None,
        _option(
            "A sampler's parameter: switching.tau=0.6, or JSON; the label instead of the name where there is "
            "one; repeatable.",
            "--set",
            panel=_IMAGES,
        ),
    ] = None
    images: Annotated[
        int | None, _option("Images per prompt. [default: 64]", "--images", "-n", panel=_IMAGES)
    ] = None
    until: Annotated[
        str | None,
        _option(
            "Stop early, without inflating the error: verdict, or half-width=0.05; --images is the most.",
            panel=_IMAGES,
        ),
    ] = None
    seed: Annotated[int | None, _option("Seed of all noise. [default: 0]", panel=_IMAGES)] = None
    steps: Annotated[
        int | None, _option("Steps of the scheduler. [default: the model's own]", panel=_IMAGES)
    ] = None
    guidance_scale: Annotated[
        float | None, _option("Weight of classifier-free guidance. [default: the model's own]", panel=_IMAGES)
    ] = None
    scheduler: Annotated[
        str | None,
        _option(
            "model (its own), ddim, ddpm, pndm, lms, euler, euler-ancestral, heun, dpmsolver++ or unipc. "
            "[default: model]",
            panel=_IMAGES,
        ),
    ] = None
    height: Annotated[int | None, _option("In pixels. [default: the model's own]", panel=_IMAGES)] = None
    width: Annotated[int | None, _option("In pixels. [default: the model's own]", panel=_IMAGES)] = None
    dtype: Annotated[
        str | None, _option("float32, bfloat16 or float16. [default: float32]", panel=_IMAGES)
    ] = None
    batch: Annotated[int | None, _option("Rows of a network call. [default: 32]", panel=_IMAGES)] = None
    block: Annotated[
        int | None,
        _option("Images of a prompt that are stored and resumed together. [default: 16]", panel=_IMAGES),
    ] = None
    compile_: Annotated[
        bool | None,
        _option("Compile the network: minutes once, faster steps.", "--compile", panel=_IMAGES),
    ] = None
    saving: Annotated[
        str | None,
        _option("Memory for time: none, slicing or offload. [default: none]", panel=_IMAGES),
    ] = None
    heads: Annotated[
        str | None,
        _option("File of classifiers of the UNet's middle block, made by `fairaudit heads`.", panel=_IMAGES),
    ] = None
    classifier: Annotated[
        str | None,
        _option(
            "Who reads the images: fairface, clip, hf:REPO, torchvision:ARCH, ...; see `fairaudit list "
            "classifiers`. [default: the model's own, or builtin:faces64-classifier]",
            panel=_MEASURE,
        ),
    ] = None
    second_opinion: Annotated[
        list[str] | None,
        _option(
            "Another classifier, to see how far they agree; no verdict rests on it; repeatable.",
            panel=_MEASURE,
        ),
    ] = None
    extractor: Annotated[
        list[str] | None,
        _option(
            "Network whose features quality and utility are measured on: inception, clip:ARCH/TAG, dinov2, "
            "...; see `fairaudit list extractors`; none for none; repeatable. [default: "
            "builtin:faces64-clip for built-in models, and inception where it is fetched and there is a "
            "--reference]",
            panel=_MEASURE,
        ),
    ] = None
    weights: Annotated[
        list[str] | None,
        _option(
            "File of the weights of a classifier or extractor: FILE (of the classifier) or NAME=FILE; "
            "repeatable.",
            panel=_MEASURE,
        ),
    ] = None
    outputs: Annotated[
        list[str] | None,
        _option(
            "YAML file of what a classifier's outputs mean: FILE or CLASSIFIER=FILE; repeatable.",
            panel=_MEASURE,
        ),
    ] = None
    faces: Annotated[
        str | None,
        _option(
            "Which face of an image is judged: whole-image, largest or exclude-many. [default: whole-image]",
            panel=_MEASURE,
        ),
    ] = None
    detector: Annotated[
        str | None,
        _option("What finds faces; see `fairaudit list detectors`. [default: yunet]", panel=_MEASURE),
    ] = None
    estimator: Annotated[
        str | None,
        _option(
            "auto, raw or corrected. [default: auto, which is corrected where a calibration exists]",
            panel=_MEASURE,
        ),
    ] = None
    calibration: Annotated[
        list[Path] | None,
        _option("Calibration file (JSON), instead of the classifier's own; repeatable.", panel=_MEASURE),
    ] = None
    threshold: Annotated[
        float | None,
        _option("Labels of less confidence count as unsure. [default: 0]", panel=_MEASURE),
    ] = None
    level: Annotated[
        float | None,
        _option("Error of tests and intervals. [default: 0.05]", panel=_MEASURE),
    ] = None
    tolerance: Annotated[
        float | None,
        _option("Discrepancy up to which a generator is fair. [default: 0.1]", panel=_MEASURE),
    ] = None
    planted: Annotated[
        str | None,
        _option(
            'Shares in the training data (JSON): {"nurse": {"gender": {"female": 0.9, "male": 0.1}}}.',
            panel=_MEASURE,
        ),
    ] = None
    reference: Annotated[
        str | None,
        _option(
            "What quality is measured against: real images (a folder, archive, Parquet file), statistics "
            "(.npz with mu and sigma, .safetensors, cleanfid:NAME/RESOLUTION/SPLIT), or sampler:NAME.",
            panel=_MEASURE,
        ),
    ] = None

    downstream: Annotated[
        str | None,
        _option(
            "Real pictures with labels.csv (as for `fairaudit calibrate`): a classifier that has learnt from "
            "the images is tested on them.",
            panel=_MEASURE,
        ),
    ] = None

    @property
    def plan_fields(self) -> dict[str, Any]:
        """The options that are single fields of a plan, by their place in it."""
        crossed = None if self.intersect is None else [_names(text) for text in self.intersect]
        return {
            "attributes": self.attribute or None,
            "classifier": self.classifier,
            "second_opinions": self.second_opinion or None,
            "extractors": _unless_none(self.extractor),
            "weights": self.weights,
            "outputs": self.outputs,
            "faces": self.faces,
            "detector": self.detector,
            "intersections": crossed,
            "debias": None if self.debias is None else _names(self.debias),
            "until": self.until,
            "sampling.images_per_prompt": self.images,
            "sampling.seed": self.seed,
            "sampling.steps": self.steps,
            "sampling.guidance_scale": self.guidance_scale,
            "sampling.scheduler": self.scheduler,
            "sampling.dtype": self.dtype,
            "sampling.height": self.height,
            "sampling.width": self.width,
            "sampling.batch": self.batch,
            "sampling.block": self.block,
            "sampling.compile": self.compile_,
            "sampling.saving": self.saving,
            "sampling.heads": self.heads,
            "measurement.estimator": self.estimator,
            "measurement.threshold": self.threshold,
            "measurement.level": self.level,
            "measurement.tolerance": self.tolerance,
            "measurement.planted": self.planted,
            "measurement.reference": self.reference,
            "measurement.downstream": self.downstream,
        }


def _unless_none(names: list[str] | None) -> list[str] | None:
    return [] if names == ["none"] else names or None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command with a parameter `options` all fields of `Options` on its command line."""
    own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "options"]
    hints = get_type_hints(Options, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(Options)
    ]

    @wraps(command)
    def run(**given: Any) -> None:
        said = {field.name: given.pop(field.name) for field in fields(Options)}
        command(**given, options=Options(**said))

    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
    return run
