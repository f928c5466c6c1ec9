"""What a plan asks for and its generators cannot do, said before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fairaudit.errors import UsageError
from fairaudit.generating import make_sampler, plan_units, request_of, with_edited
from fairaudit.generators import Generators
from fairaudit.needs import Need, check_needs
from fairaudit.plan import AuditPlan, SamplerPlan
from fairaudit.sampling import EditsImages, Request, Sampler, Step

_STEPS = 20


def check_samplers(plan: AuditPlan, generators: Generators) -> None:
    """Load all models of a plan, and refuse what one of its samplers cannot do on its own.

    Raises
    ------
    UsageError
        With the first thing that cannot be.
    """
    generators.load()
    for sampler in plan.samplers:
        check_sampler(plan, sampler, generators)


def check_sampler(plan: AuditPlan, sampler: SamplerPlan, generators: Generators) -> None:
    """Refuse a sampler that its generator, classifier, scheduler or plan does not allow."""
    name = plan.generator_of(sampler)
    offers, denoiser = generators.offers(name), generators[name]
    if denoiser.distilled and sampler.guidance_scale is not None:
        raise UsageError(
            f"{name} is distilled: it has its guidance built in, so sampler {sampler.key} cannot have a "
            "guidance scale of its own"
        )
    if plan.guidance_of(sampler) != 1 and Need.EMPTY not in offers and not denoiser.distilled:
        raise UsageError(
            f"{name} does not know the empty prompt that guidance leads away from; use --guidance-scale 1"
        )
    made = make_sampler(sampler)
    check_needs(sampler.key, made.needs, offers, name)
    for edited in with_edited([made], plan, name)[:-1]:
        if isinstance(edited, EditsImages):
            raise UsageError(
                f"sampler {sampler.key} cannot edit the images of {edited.name}, which edits others itself"
            )
        check_needs(edited.name, edited.needs, offers, name)
    requests = [request_of(plan, unit, denoiser) for unit in plan_units(plan) if unit.block == 0]
    made.assign(requests[0])
    if Need.TEXT not in offers:
        for text in dict.fromkeys(text for request in requests for text in _asked(made, request)):
            denoiser.encode(text)


def _asked(sampler: Sampler, request: Request) -> Iterator[str]:
    """The texts that a sampler asks about, in so many steps that it passes through all it does."""
    assignment = sampler.assign(request)
    for index in range(_STEPS):
        step = Step(index, _STEPS, 1 - index / _STEPS, request, assignment)
        for condition in sampler.conditions(step):
            yield from (query for query in condition if isinstance(query, str))


def keep_allowed(plan: AuditPlan, generators: Generators) -> tuple[AuditPlan, Mapping[str, str]]:
    """The plan with the samplers that can be, and why each of the others cannot.

    Raises
    ------
    UsageError
        If none can be, or one's parameters are wrong.
    """
    for sampler in plan.samplers:
        make_sampler(sampler)
    generators.load()
    left_out: dict[str, str] = {}
    for sampler in plan.samplers:
        try:
            check_sampler(plan, sampler, generators)
        except UsageError as error:
            left_out[sampler.key] = str(error)
    kept = tuple(sampler for sampler in plan.samplers if sampler.key not in left_out)
    if not kept:
        raise UsageError(next(iter(left_out.values())))
    return plan.model_copy(update={"samplers": kept}), left_out
