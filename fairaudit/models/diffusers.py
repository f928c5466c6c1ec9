"""Stable Diffusion pipelines, local or from the hub, as denoisers."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairaudit.denoiser import Edit
from fairaudit.digests import sha256_of
from fairaudit.embedding import Embedding
from fairaudit.errors import ModelError, UsageError
from fairaudit.needs import Need

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
"""The folders a StableDiffusionPipeline directory must have, beside model_index.json."""

SCHEDULERS = {"ddim": "DDIMScheduler", "dpmsolver++": "DPMSolverMultistepScheduler"}


class StableDiffusion:
    """A StableDiffusionPipeline seen as a function of (x, t, text).

    Parameters
    ----------
    source
        A pipeline folder, or the id of one on the Hugging Face hub.
    dtype
        Precision of the network; the latents and the noise are cast to it.
    height, width
        Size of the pictures in pixels; None takes the model's own.
    """

    offers: frozenset[Need] = frozenset({Need.VALUES, Need.TEXT, Need.EMPTY, Need.SPATIAL})
    distilled = False

    def __init__(
        self,
        source: str,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        *,
        height: int | None = None,
        width: int | None = None,
    ) -> None:
        self.device, self.dtype = device, dtype
        pipeline = _load(source, dtype)
        self.vae = pipeline.vae.to(device).eval()
        self.unet = pipeline.unet.to(device).eval()
        self.text_encoder = pipeline.text_encoder.to(device).eval()
        self.tokenizer = pipeline.tokenizer
        self._scheduler = pipeline.scheduler
        self._processor = pipeline.image_processor
        factor, size = pipeline.vae_scale_factor, self.unet.config.sample_size
        self.latent_shape: tuple[int, ...] = (
            self.unet.config.in_channels,
            _latent_size(height, size, factor, "height"),
            _latent_size(width, size, factor, "width"),
        )

    def scheduler(self, kind: str, steps: int) -> Any:
        """The model's own scheduler, or another kind with the model's noise schedule."""
        scheduler = self._scheduler
        if kind != "model":
            scheduler = _scheduler_class(SCHEDULERS[kind]).from_config(scheduler.config)
        scheduler = type(scheduler).from_config(scheduler.config)
        scheduler.set_timesteps(steps, device=self.device)
        return scheduler

    @torch.no_grad()
    def encode(self, text: str) -> Embedding:
        """Hidden states (length, width) of the text encoder, padded and cut as the pipeline does."""
        tokens = self.tokenizer(
            text,
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        hidden: Tensor = self.text_encoder(tokens.to(self.device))[0][0]
        end = (tokens[0] == self.tokenizer.eos_token_id).to(torch.int64).argmax()
        return Embedding(hidden.to(self.dtype), end=end)

    @torch.no_grad()
    def predict(self, x: Tensor, t: Tensor, condition: Embedding, edit: Edit | None = None) -> Tensor:
        """The UNet's output: noise or velocity, as the scheduler expects it."""
        output: Tensor = self.unet(x, t, encoder_hidden_states=condition.tokens, return_dict=False)[0]
        return output

    def picture(self, latents: Tensor) -> Tensor:
        """Pictures (n, 3, height, width) in [-1, 1] of clean latents, differentiable."""
        decoded: Tensor = self.vae.decode(latents / self.vae.config.scaling_factor, return_dict=False)[0]
        return decoded

    @torch.no_grad()
    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Pictures (n, height, width, 3) of latents (n, ...), one at a time to spare memory."""
        pictures = []
        for latent in latents:
            decoded = self.vae.decode(latent[None] / self.vae.config.scaling_factor, return_dict=False)[0]
            image = self._processor.postprocess(decoded.float(), output_type="np")[0]
            pictures.append(np.round(image * 255).astype(np.uint8))
        return np.stack(pictures)


def _load(source: str, dtype: torch.dtype) -> Any:
    folder = Path(source)
    if folder.is_dir():
        _check_parts(folder)
    with quiet():
        from diffusers import StableDiffusionPipeline

        try:
            return StableDiffusionPipeline.from_pretrained(
                source,
                dtype=dtype,
                safety_checker=None,
                feature_extractor=None,
                requires_safety_checker=False,
                use_safetensors=True,
            )
        except Exception as error:  # diffusers raises many kinds; the user needs one sentence
            raise _explain(source, error) from error


def _check_parts(folder: Path) -> None:
    index = folder / "model_index.json"
    kind = json.loads(index.read_text()).get("_class_name") if index.is_file() else None
    if kind not in (None, "StableDiffusionPipeline"):
        raise ModelError(f"{folder} holds a {kind}; only a StableDiffusionPipeline can be sampled")
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if not index.is_file():
        missing.insert(0, "model_index.json")
    if missing:
        raise ModelError(
            f"{folder} is not a StableDiffusionPipeline folder: {', '.join(missing)} missing; "
            "save one with pipeline.save_pretrained(FOLDER, safe_serialization=True)"
        )


def _explain(source: str, error: Exception) -> ModelError:
    reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if Path(source).is_dir():
        return ModelError(f"cannot load the model in {source}: {reason}")
    cache = os.environ.get("HF_HOME", "~/.cache/huggingface")
    return ModelError(
        f"there is no folder {source}, and the Hugging Face hub does not give {source!r} ({reason}); "
        f"where there is a network, run `hf download {source}`, then copy {cache} here, "
        "or pass the path of the downloaded folder"
    )


def _scheduler_class(name: str) -> Any:
    import diffusers

    return getattr(diffusers, name)


def _latent_size(pixels: int | None, default: int, factor: int, side: str) -> int:
    if pixels is None:
        return default
    if pixels % factor:
        raise UsageError(f"{side} must be a multiple of {factor} for this model, not {pixels}")
    return pixels // factor


def fingerprint(folder: Path) -> dict[str, str]:
    """sha256 of all that makes a local model: weights, configurations, tokenizer, by path."""
    files = [path for part in PARTS for path in sorted((folder / part).rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars and advice that diffusers and transformers print while loading."""
    import diffusers
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
