"""What a plan asks for and its generators cannot do, said before anything is written."""

from __future__ import annotations

from fairaudit.errors import UsageError
from fairaudit.generating import make_sampler, with_edited
from fairaudit.generators import Generators
from fairaudit.needs import Need, check_needs
from fairaudit.plan import AuditPlan, SamplerPlan
from fairaudit.sampling import EditsImages


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
    if plan.sampling.guidance_scale != 1 and Need.EMPTY not in offers and not denoiser.distilled:
        raise UsageError(
            f"{name} does not know the empty prompt that guidance leads away from; use --guidance-scale 1"
        )
    made = make_sampler(sampler)
    check_needs(sampler.key, made.needs, offers, name)
    for edited in with_edited([made], plan, name)[:-1]:
        if isinstance(edited, EditsImages):
            raise UsageError(
                f"sampler {sampler.key} cannot edit the images of {edited.name}, which edits others"
            )
        check_needs(edited.name, edited.needs, offers, name)
