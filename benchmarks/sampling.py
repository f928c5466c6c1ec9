"""How fast the loop samples, beside diffusers' own pipeline and beside one run per sampler.

    make bench

Prints images per second of the built-in model's pipeline called as a user would, of the loop with the
baseline alone, and of three samplers in one loop against one loop each, all in the same process; then
the ratios. Seconds vary from machine to machine and with what else it does; the ratios much less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from diffusers import StableDiffusionPipeline

from fairaudit.asking import Room
from fairaudit.attributes import get_attribute
from fairaudit.diffusion import initial_noise, sample
from fairaudit.generating import make_sampler
from fairaudit.models.builtin import asset
from fairaudit.models.diffusers import StableDiffusion, quiet
from fairaudit.plan import SamplerPlan
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of these counts")
    options = parser.parse_args()
    folder = str(asset("faces64"))
    model = StableDiffusion(folder, torch.device(options.device))
    request = Request(
        Prompt("a photo of a {attribute} doctor"),
        tuple(range(options.images)),
        get_attribute("gender"),
        {"female": 0.5, "male": 0.5},
        guidance_scale=4.0,
        seed=0,
    )
    samplers = [make_sampler(SamplerPlan(name=name)) for name in ("baseline", "guidance", "switching")]

    def loop(*some: object) -> None:
        chosen = [sampler for sampler in samplers if sampler.name in some]
        made = sample(
            model, chosen, request, scheduler="model", steps=options.steps, room=Room(2 * options.images)
        )
        for result in made.values():
            model.decode(result.latents)

    with quiet():
        pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None).to(options.device)
    pipeline.set_progress_bar_config(disable=True)
    noise, _ = initial_noise(request, model.latent_shape)

    def bare() -> None:
        pipeline(
            list(request.neutral), latents=noise.to(options.device), num_inference_steps=options.steps,
            guidance_scale=4.0,
        )  # fmt: skip

    names = [sampler.name for sampler in samplers]
    pipeline_seconds = fastest(bare, options.repeats)
    alone = {name: fastest(lambda name=name: loop(name), options.repeats) for name in names}  # type: ignore[misc]
    together = fastest(lambda: loop(*names), options.repeats)
    print(f"{options.images} images, {options.steps} steps, {options.device}")
    print(f"diffusers' pipeline        {options.images / pipeline_seconds:8.2f} images/s")
    for name, seconds in alone.items():
        print(f"loop, {name:<20} {options.images / seconds:8.2f} images/s")
    print(f"loop, all three            {3 * options.images / together:8.2f} images/s")
    print(f"baseline in the loop / diffusers' pipeline: {pipeline_seconds / alone['baseline']:.2f} x")
    print(f"three samplers in one loop / one loop each: {sum(alone.values()) / together:.2f} x")


def fastest(work: Callable[[], None], repeats: int) -> float:
    """Seconds of the fastest of several repeats, after one that does not count."""
    work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
