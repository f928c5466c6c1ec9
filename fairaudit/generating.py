"""The first stage of a run: a model's images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from pydantic import TypeAdapter, ValidationError

from fairaudit import registry
from fairaudit.asking import Room
from fairaudit.denoiser import Denoiser
from fairaudit.diffusion import sample
from fairaudit.errors import ModelError, UsageError
from fairaudit.generators import Generators
from fairaudit.memory import remembered_room
from fairaudit.needs import Need
from fairaudit.peaks import begin_peak, peak
from fairaudit.plan import AuditPlan, SamplerPlan
from fairaudit.progress import Bar, Bars
from fairaudit.prompts import Prompt
from fairaudit.sampling import EditsImages, Request, Sampler
from fairaudit.store import Run, Unit, units_of

GUIDED = frozenset({Need.CLEAN, Need.NOISY, Need.HIDDEN})
"""Needs that classifiers meet."""


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
    known = [field.name for field in fields(factory) if field.name != "name"]
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


def with_edited(samplers: Sequence[Sampler], plan: AuditPlan, generator: str) -> list[Sampler]:
    """Samplers of one generator, after those whose images they edit and that are not among them."""
    needed = [sampler.edits for sampler in samplers if isinstance(sampler, EditsImages)]
    own = {sampler.key: sampler for sampler in plan.samplers if plan.generator_of(sampler) == generator}
    present = {sampler.name for sampler in samplers}
    missing = [name for name in dict.fromkeys(needed) if name not in present]
    return [*(make_sampler(own.get(name, SamplerPlan(name=name))) for name in missing), *samplers]


def generate(place: Workplace, generators: Generators, units: Sequence[Unit]) -> None:
    """Make the images of units that are not there yet, all samplers of a unit and generator together.

    A model is loaded only if there is something to make with it.
    """
    plan = place.plan
    samplers = [(plan.generator_of(sampler), make_sampler(sampler)) for sampler in plan.samplers]
    missing = {
        unit: [
            (generator, sampler)
            for generator, sampler in samplers
            if not place.run.path("samples", sampler.name, unit.name).exists()
        ]
        for unit in units
    }
    total = sum(len(unit.indices) for unit in units) * len(samplers)
    done = total - sum(len(unit.indices) * len(some) for unit, some in missing.items())
    bar = place.bars.stage("sampling", total, done)
    make = _Maker(place, generators, remembered_room(place.run, plan.sampling.batch, place.bars), bar)
    for unit, some in missing.items():
        for generator in dict.fromkeys(generator for generator, _ in some):
            mine = [sampler for own, sampler in some if own == generator]
            make(generator, unit, mine)
            done += len(unit.indices) * len(mine)
            bar.reach(done)


@dataclass(frozen=True)
class _Maker:
    """Makes a unit's images of samplers that run on one generator."""

    place: Workplace
    generators: Generators
    room: Room
    bar: Bar

    def __call__(self, generator: str, unit: Unit, samplers: Sequence[Sampler]) -> None:
        denoiser, plan, run = self.generators[generator], self.place.plan, self.place.run
        request = request_of(plan, unit, denoiser)
        if any(sampler.needs & GUIDED for sampler in samplers):
            request = replace(request, guides=self.generators.guides(generator, request.prompt.text))
        images = len(unit.indices) * len(samplers)
        begin_peak(denoiser.device)
        began = time.perf_counter()
        try:
            sampled = sample(
                denoiser,
                with_edited(samplers, plan, generator),
                request,
                scheduler=plan.sampling.scheduler,
                steps=plan.sampling.steps,
                room=self.room,
                advance=lambda fraction: self.bar.advance(fraction * images),
                scales={s.key: s.guidance_scale for s in plan.samplers if s.guidance_scale is not None},
            )
        except torch.OutOfMemoryError as error:
            # Calls of the network back off by themselves; gradients and edits take all images at once.
            raise ModelError(
                f"the memory of the device does not hold {len(unit.indices)} images at once under "
                f"{', '.join(sampler.name for sampler in samplers)}; name fewer with --block"
            ) from error
        if denoiser.device.type == "cuda":
            torch.cuda.synchronize()
        wanted = {sampler.name: sampled[sampler.name] for sampler in samplers}
        # Samplers share calls, so each is given its part of the seconds by its evaluations.
        seconds = (time.perf_counter() - began) / sum(result.evaluations for result in wanted.values())
        for name, result in wanted.items():
            began = time.perf_counter()
            pictures = denoiser.decode(result.latents)
            decoding = time.perf_counter() - began
            most = peak(denoiser.device, images)
            run.write_cost(name, unit, result.evaluations, seconds * result.evaluations + decoding, most)
            run.write_samples(name, unit, pictures, request.prompt.text, result.assignment)


def request_of(plan: AuditPlan, unit: Unit, denoiser: Denoiser) -> Request:
    """What samplers are asked for by a unit, on one generator."""
    prompt = Prompt(plan.prompts[unit.prompt])
    return Request(
        prompt=prompt,
        indices=unit.indices,
        attribute=plan.aim,
        target=plan.aim_target(prompt.text),
        guidance_scale=1.0 if denoiser.distilled else plan.sampling.guidance_scale,
        seed=plan.sampling.seed,
    )
