"""How fast the loop samples with the architectures of Stable Diffusion 1.5 and XL.

    python benchmarks/architectures.py --device cuda
    python benchmarks/architectures.py --tiny

The networks have their real sizes and random weights, so nothing is downloaded; speed does not depend
on what the weights are. Prints images per second of the pipeline called as a user would (eager, in
float16 on a GPU), and of the loop with each of three samplers, by turns in one process; then the ratios
to the pipeline. `--tiny` shrinks every width, to show on a CPU that all of it runs; its figures mean nothing.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from sampling import NAMES, SCALE, by_turns, pipeline_call, ratio
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from fairaudit.asking import Room
from fairaudit.attributes import get_attribute
from fairaudit.diffusion import sample
from fairaudit.generating import make_sampler
from fairaudit.models.diffusers import load, quiet
from fairaudit.models.execution import Execution
from fairaudit.plan import SamplerPlan
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request

BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=["sd15", "sdxl"], default=["sd15", "sdxl"])
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=5, help="turns; the median counts")
    parser.add_argument("--compile", action="store_true", help="compile the loop's network, not the peer's")
    parser.add_argument("--tiny", action="store_true", help="tiny widths, two images and two steps")
    options = parser.parse_args()
    if options.tiny:
        options.images, options.steps, options.repeats = 2, 2, 1
    for name in options.models:
        with tempfile.TemporaryDirectory() as folder:
            measure(name, Path(folder), options)


def measure(name: str, folder: Path, options: argparse.Namespace) -> None:
    """Build one of the models, time it, and print."""
    device = torch.device(options.device)
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    build = {"sd15": stable_diffusion, "sdxl": stable_diffusion_xl}[name]
    with quiet():
        build(16 if options.tiny else 1, device, dtype).save_pretrained(folder)
    model = load(str(folder), device, Execution(dtype, compile=options.compile))
    peer = load(str(folder), device, Execution(dtype)) if options.compile else model
    request = Request(
        Prompt("a photo of a {attribute} doctor"),
        tuple(range(options.images)),
        get_attribute("gender"),
        {"female": 0.5, "male": 0.5},
        guidance_scale=SCALE,
        seed=0,
    )

    def loop(sampler: str) -> None:
        chosen, room = [make_sampler(SamplerPlan(name=sampler))], Room(2 * options.images)
        made = sample(model, chosen, request, scheduler="model", steps=options.steps, room=room)
        model.decode(made[sampler].latents)

    works: dict[str, Callable[[], None]] = {
        "pipeline": lambda: pipeline_call(peer, request, options.steps),
        **{sampler: lambda sampler=sampler: loop(sampler) for sampler in NAMES},  # type: ignore[misc]
    }
    times = by_turns(works, options.repeats, device)
    parameters = sum(weight.numel() for weight in model.network.parameters())
    what = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    print(
        f"{name}: UNet of {parameters / 1e6:.1f} million parameters, {options.images} images, "
        f"{options.steps} steps, {str(dtype).removeprefix('torch.')}, {what}"
    )
    for kind, seconds in times.items():
        speed = options.images / statistics.median(seconds)
        print(f"  {kind:<10} {speed:8.3f} images/s  {ratio(times, ['pipeline'], kind):.3f} x the pipeline")


@contextmanager
def made_on(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Make weights where and as they are used: on the CPU in float32 billions of them take minutes."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)


def stable_diffusion(shrink: int, device: torch.device, dtype: torch.dtype) -> StableDiffusionPipeline:
    """Stable Diffusion 1.5, for 512 x 512 pixels."""
    tokenizer = letters()
    with made_on(device, dtype):
        unet, vae, text_encoder = unet_15(shrink), decoder(0.18215, shrink), clip_l(tokenizer, shrink)
    return StableDiffusionPipeline(
        vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=unet,
        scheduler=PNDMScheduler(skip_prk_steps=True, **BETAS), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def stable_diffusion_xl(shrink: int, device: torch.device, dtype: torch.dtype) -> StableDiffusionXLPipeline:
    """Stable Diffusion XL, for 1024 x 1024 pixels."""
    tokenizer = letters()
    with made_on(device, dtype):
        unet, vae, text_encoder = unet_xl(shrink), decoder(0.13025, shrink), clip_l(tokenizer, shrink)
        text_encoder_2 = clip_big_g(tokenizer, shrink)
    return StableDiffusionXLPipeline(
        vae=vae, text_encoder=text_encoder, text_encoder_2=text_encoder_2, tokenizer=tokenizer,
        tokenizer_2=letters(), unet=unet, scheduler=EulerDiscreteScheduler(**BETAS), add_watermarker=False,
    )  # fmt: skip


def unet_15(shrink: int = 1) -> UNet2DConditionModel:
    """The UNet of Stable Diffusion 1.5."""
    return UNet2DConditionModel(
        sample_size=64 // shrink, cross_attention_dim=768 // shrink, attention_head_dim=max(1, 8 // shrink),
        block_out_channels=widths(shrink, 320, 640, 1280, 1280),
    )  # fmt: skip


def unet_xl(shrink: int = 1) -> UNet2DConditionModel:
    """The UNet of Stable Diffusion XL; shrunk, its transformers have one layer."""
    return UNet2DConditionModel(
        sample_size=128 // shrink, block_out_channels=widths(shrink, 320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10) if shrink == 1 else 1,
        attention_head_dim=(5, 10, 20) if shrink == 1 else 2, cross_attention_dim=2048 // shrink,
        use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=6 * 256 + 1280 // shrink,
    )  # fmt: skip


def widths(shrink: int, *full: int) -> tuple[int, ...]:
    """Channels, in multiples of the 32 groups that are normalised together."""
    return tuple(32 * math.ceil(width / (32 * shrink)) for width in full)


def decoder(scale: float, shrink: int) -> AutoencoderKL:
    """The autoencoder of both, which makes every side 8 times as long."""
    return AutoencoderKL(
        block_out_channels=tuple(max(32, width // shrink) for width in (128, 256, 512, 512)),
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2, scaling_factor=scale,
    )  # fmt: skip


def letters() -> CLIPTokenizer:
    """A tokenizer of letters; 77 tokens, as CLIP has."""
    known = [chr(code) for code in range(33, 127)]
    vocab = [*known, *(letter + "</w>" for letter in known), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={entry: index for index, entry in enumerate(vocab)}, merges=[], model_max_length=77
    )


def clip_l(tokenizer: CLIPTokenizer, shrink: int) -> CLIPTextModel:
    """The text encoder ViT-L/14."""
    return CLIPTextModel(clip_config(tokenizer, 768 // shrink, max(2, 12 // shrink), max(1, 12 // shrink)))


def clip_big_g(tokenizer: CLIPTokenizer, shrink: int) -> CLIPTextModelWithProjection:
    """The text encoder ViT-bigG/14."""
    config = clip_config(tokenizer, 1280 // shrink, max(2, 32 // shrink), max(1, 20 // shrink))
    return CLIPTextModelWithProjection(config)


def clip_config(tokenizer: CLIPTokenizer, width: int, layers: int, heads: int) -> CLIPTextConfig:
    """A CLIP text encoder with the table of the real vocabulary, of which the tokenizer uses a few rows."""
    end = len(tokenizer) - 1
    return CLIPTextConfig(
        vocab_size=49408, hidden_size=width, intermediate_size=4 * width, projection_dim=width,
        num_hidden_layers=layers, num_attention_heads=heads, max_position_embeddings=77,
        bos_token_id=end - 1, eos_token_id=end, pad_token_id=end,
    )  # fmt: skip


if __name__ == "__main__":
    main()
