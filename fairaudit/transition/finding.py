"""From a plan to tau.json: what `fairaudit tau` does."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from fairaudit.asking import Room
from fairaudit.denoiser import Denoiser
from fairaudit.device import choose_device
from fairaudit.folders import check_writable
from fairaudit.generators import Generators
from fairaudit.instruments import open_classifiers
from fairaudit.plan import AuditPlan
from fairaudit.progress import Bars
from fairaudit.prompts import Prompt
from fairaudit.refusing import check_samplers
from fairaudit.store import write
from fairaudit.transition import BEST
from fairaudit.transition.criteria import Search
from fairaudit.transition.looks import classifier_look, classifier_measure
from fairaudit.transition.mismatch import LEVELS, Profile, denoising_profiles
from fairaudit.transition.picture import draw_profiles, draw_tau
from fairaudit.transition.record import FILE, Facts, TauRecord
from fairaudit.transition.search import Wish, evaluations_of, find_tau, pairs_of
from fairaudit.transition.setting import Setting


def find(plan: AuditPlan, wish: Wish, out: Path, device: str, bars: Bars) -> TauRecord:
    """Search the transition points of a plan's attribute, and keep them in `out` and in the cache.

    Raises
    ------
    UsageError
        If the plan's model cannot be switched, the criterion not be had, or `out` not be written.
    """
    check_writable(out)
    where = choose_device(device)
    classifier = open_classifiers(plan, where)[0]
    generators = Generators(plan, where, classifier)
    check_samplers(plan, generators)
    sampling = plan.sampling
    setting = _setting(plan, generators[plan.generator])
    facts = Facts(plan.generator, plan.aim, sampling.scheduler, sampling.steps, sampling.guidance_scale)
    pairs = len(pairs_of(plan.aim, every_pair=wish.every_pair))
    each = evaluations_of(setting, exact=wish.exact) + (3 * LEVELS * 2 if wish.profile else 0)
    bar = bars.stage("searching", wish.images * pairs)
    profiles: dict[str, dict[str, Profile]] = {}

    def advance(evaluations: float) -> None:
        bar.advance(wish.images * evaluations / each)

    def searched(search: Search) -> None:
        if wish.profile:
            profiles[", ".join(search.pair)] = profile_of(search)

    record = find_tau(
        setting,
        facts,
        wish,
        keep_in=out,
        measure_of=classifier_measure(setting, classifier) if wish.criterion == "share" else None,
        look=classifier_look(setting, classifier),
        advance=advance,
        searched=searched,
    )
    bar.reach(wish.images * pairs)
    record.save([out / FILE, *([facts.cached] if record.criterion == BEST else [])])
    write(out / "tau.png", draw_tau(record))
    if profiles:
        write(out / "profile.json", _profile_json(record, profiles))
        write(out / "profile.png", draw_profiles(profiles))
    return record


def _setting(plan: AuditPlan, denoiser: Denoiser) -> Setting:
    sampling = plan.sampling
    return Setting(
        denoiser,
        plan.aim,
        tuple(Prompt(prompt) for prompt in plan.prompts),
        sampling.scheduler,
        sampling.steps,
        sampling.guidance_scale,
        sampling.seed,
        Room(sampling.batch),
    )


def profile_of(search: Search) -> dict[str, Profile]:
    """The mismatch between an image's own words, the neutral prompt and the other value's words.

    The images are those of both values from the same noise, as many of the one as of the other.
    """
    setting, prompts = search.setting, search.batch.prompts
    first, second = (
        tuple(prompt.with_value(setting.attribute, value) for prompt in prompts) for value in search.pair
    )
    return denoising_profiles(
        setting,
        torch.cat(search.paths.ends()),
        own=first + second,
        models={
            "the neutral prompt": tuple(prompt.text for prompt in prompts) * 2,
            "the other value's": second + first,
        },
        advance=lambda evaluations: search.advance(2 * evaluations),
    )


def _profile_json(record: TauRecord, profiles: dict[str, dict[str, Profile]]) -> bytes:
    content = {
        "schema": 1,
        "generator": record.generator,
        "fingerprint": record.fingerprint,
        "attribute": record.attribute,
        "prompts": record.prompts,
        "guidance_scale": record.guidance_scale,
        "images": 2 * record.images,
        "pairs": {
            pair: {name: profile.as_record() for name, profile in some.items()}
            for pair, some in profiles.items()
        },
    }
    return (json.dumps(content, indent=1) + "\n").encode()
