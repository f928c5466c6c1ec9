"""Pipelines of the real layouts with random weights, small enough for a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DDIMPipeline,
    DDPMPipeline,
    DDPMScheduler,
    DiTPipeline,
    DiTTransformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    UNet2DModel,
)

from fairaudit.models.diffusers import quiet
from tests.tiny.parts import clip, clip_tokenizer, ddim, t5, t5_tokenizer, vae


def save_tiny_pipeline(folder: Path, seed: int = 0, prediction: str = "epsilon") -> Path:
    """A StableDiffusionPipeline for 16x16 pictures (latents 4x8x8)."""
    torch.manual_seed(seed)
    tokenizer = clip_tokenizer()
    text_encoder = clip(tokenizer)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, cross_attention_dim=16, layers_per_block=1,
        block_out_channels=(16, 32), norm_num_groups=8, attention_head_dim=2,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    return _save(
        StableDiffusionPipeline, folder,
        vae=vae(), text_encoder=text_encoder, tokenizer=tokenizer, unet=unet.eval(),
        scheduler=ddim(prediction_type=prediction), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    )  # fmt: skip


def save_tiny_xl(folder: Path, *, zeros: bool = True) -> Path:
    """A StableDiffusionXLPipeline for 16x16 pictures; `zeros` is what it takes for the empty text."""
    torch.manual_seed(1)
    tokenizer = clip_tokenizer()
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, cross_attention_dim=48, layers_per_block=1,
        block_out_channels=(16, 32), norm_num_groups=8, attention_head_dim=(2, 4),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 32,
    )  # fmt: skip
    return _save(
        StableDiffusionXLPipeline, folder,
        vae=vae(), text_encoder=clip(tokenizer), text_encoder_2=clip(tokenizer, 32, projected=True),
        tokenizer=tokenizer, tokenizer_2=clip_tokenizer(), unet=unet.eval(), scheduler=ddim(),
        force_zeros_for_empty_prompt=zeros, add_watermarker=False,
    )  # fmt: skip


def save_tiny_sd3(folder: Path, *, with_t5: bool = True, dynamic: bool = False) -> Path:
    """A StableDiffusion3Pipeline for 16x16 pictures."""
    torch.manual_seed(2)
    tokenizer, tokenizer_3 = clip_tokenizer(), t5_tokenizer()
    transformer = SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=32,
        pos_embed_max_size=16,
    )  # fmt: skip
    return _save(
        StableDiffusion3Pipeline, folder,
        transformer=transformer.eval(), vae=vae(shift_factor=0.06),
        text_encoder=clip(tokenizer, projected=True), text_encoder_2=clip(tokenizer, projected=True),
        text_encoder_3=t5(tokenizer_3) if with_t5 else None, tokenizer=tokenizer,
        tokenizer_2=clip_tokenizer(), tokenizer_3=tokenizer_3 if with_t5 else None,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=dynamic, max_shift=1.16),
    )  # fmt: skip


def save_tiny_flux(folder: Path, *, guided: bool = True) -> Path:
    """A FluxPipeline, [dev] or [schnell]; its default size of 256x256 is too much for a test."""
    torch.manual_seed(3)
    tokenizer, tokenizer_2 = clip_tokenizer(), t5_tokenizer()
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=16, guidance_embeds=guided,
        axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    return _save(
        FluxPipeline, folder,
        transformer=transformer.eval(), vae=vae(shift_factor=0.06), text_encoder=clip(tokenizer),
        text_encoder_2=t5(tokenizer_2), tokenizer=tokenizer, tokenizer_2=tokenizer_2,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=guided),
    )  # fmt: skip


def save_tiny_dit(folder: Path) -> Path:
    """A DiTPipeline for 16x16 pictures of 1000 classes, of which two have names."""
    torch.manual_seed(4)
    transformer = DiTTransformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, out_channels=8, num_layers=2, attention_head_dim=8,
        num_attention_heads=2, num_embeds_ada_norm=1000,
    )  # fmt: skip
    _save(DiTPipeline, folder, transformer=transformer.eval(), vae=vae(), scheduler=ddim())
    # Published checkpoints have the names here; diffusers reads them, but does not write them.
    index = json.loads((folder / "model_index.json").read_text())
    index["id2label"] = {"0": "female, woman", "1": "male"}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def save_tiny_ddpm(
    folder: Path,
    *,
    rows: int | None = None,
    names: Sequence[str] | None = None,
    deterministic: bool = False,
    prediction: str = "epsilon",
) -> Path:
    """A DDPMPipeline or DDIMPipeline for 8x8 pictures, with a table of classes if `rows` is given."""
    torch.manual_seed(5)
    unet = UNet2DModel(
        sample_size=8, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(16, 32),
        norm_num_groups=8, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"), num_class_embeds=rows,
    )  # fmt: skip
    kind = DDIMPipeline if deterministic else DDPMPipeline
    _save(kind, folder, unet=unet.eval(), scheduler=DDPMScheduler(prediction_type=prediction))
    if names is not None:
        (folder / "classes.json").write_text(json.dumps(list(names)))
    return folder


def _save(kind: Callable[..., Any], folder: Path, **parts: Any) -> Path:
    with quiet():
        kind(**parts).save_pretrained(folder, safe_serialization=True)
    return folder
