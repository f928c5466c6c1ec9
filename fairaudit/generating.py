"""The first stage of a run: a model's images, or the list of a folder's pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from pydantic import TypeAdapter, ValidationError

from fairaudit import registry
from fairaudit.asking import Room
from fairaudit.diffusion import sample
from fairaudit.errors import UsageError
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.models.images import ImageFolder
from fairaudit.plan import AuditPlan, SamplerPlan
from fairaudit.progress import Bar, Bars
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request, Sampler
from fairaudit.store import Run, Unit, units_of

IMAGES = "images"
"""The sampler's name under which a folder of pictures is stored and reported."""

FOLDER_BLOCK = 64
"""Pictures of a folder that are stored and resumed together."""


@dataclass(frozen=True)
class Workplace:
    """The run that is worked on, and where."""

    run: Run
    plan: AuditPlan
    bars: Bars


def make_sampler(plan: SamplerPlan) -> Sampler:
    """The sampler of a plan, with its parameters.

    Raises
    ------
    UsageError
        If there is none of that name, or it does not take a parameter or its value.
    """
    factory = registry.load("samplers", plan.name)
    known = [name for name in getattr(factory, "__dataclass_fields__", {}) if name != "name"]
    for parameter in plan.parameters:
        if parameter not in known:
            names = ", ".join(known) or "none"
            raise UsageError(f"sampler {plan.name} has no parameter {parameter!r} (parameters: {names})")
    try:
        # pydantic checks the values against the declared types, and converts numbers.
        made: Sampler = TypeAdapter(factory).validate_python({**plan.parameters, "name": plan.key})
    except (TypeError, ValueError) as error:
        raise UsageError(f"sampler {plan.name}: {_reason(error)}") from error
    return made


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"].removeprefix("Value error, ")


def plan_units(plan: AuditPlan) -> list[Unit]:
    """The units of a plan that makes its images."""
    return units_of(len(plan.prompts), plan.sampling.images_per_prompt, plan.sampling.block)


def generate(place: Workplace, load: Callable[[], StableDiffusion], units: Sequence[Unit]) -> None:
    """Make the images of units that are not there yet, all samplers of a unit together.

    The model is loaded only if there is something to make.
    """
    samplers = [make_sampler(sampler) for sampler in place.plan.samplers]
    missing = {
        unit: [s for s in samplers if not place.run.path("samples", s.name, unit.name).exists()]
        for unit in units
    }
    total = sum(len(unit.indices) for unit in units) * len(samplers)
    todo = sum(len(unit.indices) * len(some) for unit, some in missing.items())
    bar = place.bars.stage("sampling", total, total - todo)
    if todo:
        model = load()
        done = total - todo
        for unit, some in missing.items():
            if some:
                _generate_unit(place, model, unit, some, bar)
                done += len(unit.indices) * len(some)
                bar.reach(done)


def _generate_unit(
    place: Workplace, model: StableDiffusion, unit: Unit, samplers: Sequence[Sampler], bar: Bar
) -> None:
    request, plan = _request(place.plan, unit), place.plan.sampling
    images = len(unit.indices) * len(samplers)
    began = time.perf_counter()
    sampled = sample(
        model,
        samplers,
        request,
        scheduler=plan.scheduler,
        steps=plan.steps,
        room=Room(plan.batch),
        advance=lambda fraction: bar.advance(fraction * images),
    )
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    # Samplers share calls, so each is given its part of the seconds by its evaluations.
    seconds = (time.perf_counter() - began) / sum(result.evaluations for result in sampled.values())
    for name, result in sampled.items():
        began = time.perf_counter()
        pictures = model.decode(result.latents)
        decoding = time.perf_counter() - began
        place.run.write_cost(name, unit, result.evaluations, seconds * result.evaluations + decoding)
        place.run.write_samples(name, unit, pictures, request.prompt.text, result.assignment)


def _request(plan: AuditPlan, unit: Unit) -> Request:
    return Request(
        prompt=Prompt(plan.prompts[unit.prompt]),
        indices=unit.indices,
        attribute=plan.aim,
        target=plan.aim_target,
        guidance_scale=plan.sampling.guidance_scale,
        seed=plan.sampling.seed,
    )


def folder_units(folder: ImageFolder) -> list[Unit]:
    """The units of a folder's pictures."""
    return units_of(1, len(folder.files), FOLDER_BLOCK)


def list_folder(run: Run, folder: ImageFolder) -> None:
    """Store which pictures are audited; the pictures stay where they are."""
    for unit in folder_units(folder):
        if not run.path("samples", IMAGES, unit.name).exists():
            paths = [folder.files[index].as_posix() for index in unit.indices]
            run.write_references(IMAGES, unit, paths)
