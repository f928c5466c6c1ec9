"""How fast the loop samples, beside bare diffusers and beside one run per sampler.

    python benchmarks/sampling.py

Images per second of the built-in model: its own pipeline called as a user would; the same network and
scheduler in the shortest loop that one can write, with the same rows in every call; fairaudit's loop with
the baseline alone; and three samplers in one loop against one loop each. All in the same process, by
turns, so that what else the machine does meets all of them. Seconds vary from machine to machine; the
ratios, which are medians over the turns, much less. On a busy machine even they waver by some hundredths;
what does not is the share of processor time that goes neither to the network nor to the encoder, the decoder
or the scheduler, which is printed too.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import torch

from fairaudit.asking import Room
from fairaudit.attributes import get_attribute
from fairaudit.diffusion import initial_noise, sample
from fairaudit.generating import make_sampler
from fairaudit.models.builtin import asset
from fairaudit.models.diffusers import load
from fairaudit.models.families.base import Family
from fairaudit.plan import SamplerPlan
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request

NAMES = ("baseline", "guidance", "switching")
SCALE = 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=5, help="turns; the median counts")
    options = parser.parse_args()
    model = load(str(asset("faces64")), torch.device(options.device))
    request = Request(
        Prompt("a photo of a {attribute} doctor"),
        tuple(range(options.images)),
        get_attribute("gender"),
        {"female": 0.5, "male": 0.5},
        guidance_scale=SCALE,
        seed=0,
    )

    def loop(*names: str) -> None:
        chosen = [make_sampler(SamplerPlan(name=name)) for name in names]
        room = Room(2 * options.images)
        made = sample(model, chosen, request, scheduler="model", steps=options.steps, room=room)
        for result in made.values():
            model.decode(result.latents)

    works: dict[str, Callable[[], None]] = {
        "pipeline": lambda: pipeline_call(model, request, options.steps),
        "bare": lambda: bare(model, request, options.steps),
        **{name: lambda name=name: loop(name) for name in NAMES},  # type: ignore[misc]
        "together": lambda: loop(*NAMES),
    }
    times = by_turns(works, options.repeats, model.device)
    print(f"{options.images} images, {options.steps} steps, {options.device}, {options.repeats} turns")
    for name, seconds in times.items():
        count = options.images * (len(NAMES) if name == "together" else 1)
        print(f"{name:<12} {count / statistics.median(seconds):8.2f} images/s")
    print(f"baseline in the loop / bare diffusers:      {ratio(times, ['bare'], 'baseline'):.3f} x")
    print(f"baseline in the loop / pipeline's call:     {ratio(times, ['pipeline'], 'baseline'):.3f} x")
    for name in ("bare", "baseline"):
        share = statistics.median(outside(model, works[name]) for _ in range(3))
        print(f"{name}: {share:.2%} of the processor time outside network, encoder, decoder and scheduler")
    print(f"three samplers in one loop / one loop each: {ratio(times, NAMES, 'together'):.3f} x")


def pipeline_call(model: Family, request: Request, steps: int) -> None:
    """The pipeline as a user calls it."""
    model.pipeline.set_progress_bar_config(disable=True)
    noise, _ = initial_noise(request, model.latent_shape)
    model.pipeline(
        list(request.neutral), latents=noise.to(model.device, model.dtype), num_inference_steps=steps,
        guidance_scale=request.guidance_scale,
    )  # fmt: skip


@torch.no_grad()
def bare(model: Family, request: Request, steps: int) -> None:
    """The network and the scheduler in the shortest loop, and the same decoding."""
    scheduler = model.scheduler("model", steps)
    x = initial_noise(request, model.latent_shape)[0].to(model.device, model.dtype)
    count = len(x)
    told = torch.cat([model.encode(text).tokens.expand(count, -1, -1) for text in ("", request.prompt.text)])
    for t in scheduler.timesteps:
        rows = scheduler.scale_model_input(torch.cat([x, x]), t)
        empty, prompt = model.network(rows, t, encoder_hidden_states=told, return_dict=False)[0].chunk(2)
        x = scheduler.step(empty + request.guidance_scale * (prompt - empty), t, x, return_dict=False)[0]
    model.decode(x)


def by_turns(
    works: Mapping[str, Callable[[], None]], repeats: int, device: torch.device
) -> dict[str, list[float]]:
    """Seconds of every piece of work at every turn, after one turn that does not count."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        # Forth and back, so that nothing always runs after the same.
        for name, work in list(works.items())[:: 1 if turn % 2 else -1]:
            began = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn:
                times[name].append(time.perf_counter() - began)
    return times


def outside(model: Family, work: Callable[[], None]) -> float:
    """Share of the processor time of some work that is spent outside of diffusers."""
    spent = 0.0

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*arguments: Any, **named: Any) -> Any:
            nonlocal spent
            began = time.process_time()
            try:
                return call(*arguments, **named)
            finally:
                spent += time.process_time() - began

        return timing

    pipeline = model.pipeline
    calls = [
        (model.network, "forward"),
        (type(pipeline.scheduler), "step"),
        (pipeline.vae, "decode"),
        (pipeline, "encode_prompt"),
    ]
    with ExitStack() as stack:
        for owner, name in calls:
            stack.enter_context(patch.object(owner, name, timed(getattr(owner, name))))
        began = time.process_time()
        work()
        total = time.process_time() - began
    return (total - spent) / total


def ratio(times: Mapping[str, list[float]], peers: list[str] | tuple[str, ...], name: str) -> float:
    """Median over the turns of the seconds of the peers, together, to those of one piece of work."""
    turns = zip(*(times[peer] for peer in peers), strict=True)
    return statistics.median(sum(peer) / own for peer, own in zip(turns, times[name], strict=True))


if __name__ == "__main__":
    main()
