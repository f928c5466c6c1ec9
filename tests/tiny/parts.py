"""Parts of pipelines with random weights, small enough for a test."""

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderKL, DDIMScheduler
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

LETTERS = [chr(code) for code in range(33, 127)]
LENGTH = 40
"""Tokens of a text, with its start and its end."""


def clip_tokenizer(length: int = LENGTH) -> CLIPTokenizer:
    """A tokenizer that knows letters only."""
    vocab = LETTERS + [letter + "</w>" for letter in LETTERS] + ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={entry: index for index, entry in enumerate(vocab)}, merges=[], model_max_length=length
    )


def clip(tokenizer: CLIPTokenizer, width: int = 16, *, projected: bool = False) -> Any:
    """A CLIP text encoder, with or without the projection of its pooled output."""
    count = len(tokenizer)
    config = CLIPTextConfig(
        vocab_size=count, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=tokenizer.model_max_length, projection_dim=width,
        bos_token_id=count - 2, eos_token_id=count - 1, pad_token_id=count - 1,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config).eval()


def t5_tokenizer() -> T5Tokenizer:
    """A tokenizer that knows letters only."""
    pieces = ["<pad>", "</s>", "<unk>", "\u2581", *LETTERS]
    return T5Tokenizer(vocab=[(piece, -1.0) for piece in pieces], extra_ids=0)


def t5(tokenizer: T5Tokenizer, width: int = 32) -> T5EncoderModel:
    """A T5 text encoder."""
    config = T5Config(
        vocab_size=len(tokenizer), d_model=width, d_kv=8, d_ff=width, num_layers=1, num_heads=2,
        relative_attention_num_buckets=8,
    )  # fmt: skip
    return T5EncoderModel(config).eval()


def vae(channels: int = 4, **options: Any) -> AutoencoderKL:
    """A decoder that doubles the side."""
    return AutoencoderKL(
        block_out_channels=(16, 16), norm_num_groups=8, latent_channels=channels, sample_size=16,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, **options,
    ).eval()  # fmt: skip


def ddim(**options: Any) -> DDIMScheduler:
    """The scheduler of Stable Diffusion."""
    return DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, steps_offset=1,
        **options,
    )  # fmt: skip
