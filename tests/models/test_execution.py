"""Options of running a network change its cost, not its pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import partialmethod
from pathlib import Path

import pytest
import torch

from fairaudit.diffusion import initial_noise
from fairaudit.embedding import stack
from fairaudit.errors import UsageError
from fairaudit.models.diffusers import load
from fairaudit.models.execution import Execution
from fairaudit.models.families.base import Family
from fairaudit.plan import SamplingPlan
from fairaudit.sources import open_model
from tests.models.test_families import CPU, REQUEST, baseline
from tests.tiny import save_tiny_ddpm, save_tiny_xl


def test_slices_give_the_same_latents_and_pictures(tiny_pipeline: Path) -> None:
    plain = load(str(tiny_pipeline), CPU)
    slicing = open_model(str(tiny_pipeline)).load(CPU, SamplingPlan(saving="slicing"))
    assert isinstance(slicing, Family)
    torch.testing.assert_close(baseline(slicing), baseline(plain), atol=1e-4, rtol=1e-4)
    assert slicing.pipeline.vae.use_tiling
    used = {type(part).__name__ for part in slicing.network.attn_processors.values()}
    assert used == {"SlicedAttnProcessor"}


def test_offload_takes_a_gpu(tiny_pipeline: Path) -> None:
    with pytest.raises(UsageError, match="on the CPU use none"):
        open_model(str(tiny_pipeline)).load(CPU, SamplingPlan(saving="offload"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_near_full(tiny_pipeline: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    for folder in (tiny_pipeline, save_tiny_xl(tmp_path)):
        full, half = load(str(folder), CPU), load(str(folder), CPU, Execution(dtype=dtype))
        made = baseline(half)
        assert made.dtype == dtype
        torch.testing.assert_close(made.float(), baseline(full), atol=0.3, rtol=0.1)
        assert half.decode(made).shape == (3, 16, 16, 3)


def test_the_decoder_of_sdxl_stays_whole_in_float16(tmp_path: Path) -> None:
    model = load(str(save_tiny_xl(tmp_path)), CPU, Execution(dtype=torch.float16))
    assert model.pipeline.vae.dtype == torch.float32
    assert model.network.dtype == torch.float16


@pytest.mark.parametrize("kind", ["sd", "ddpm"])
def test_a_compiled_network_says_the_same(
    tiny_pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The blocks that sd repeats, or the whole of ddpm; only traced, because real code takes minutes."""
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend="eager"))
    folder = tiny_pipeline if kind == "sd" else save_tiny_ddpm(tmp_path)
    plain, compiled = (load(str(folder), CPU, Execution(compile=wanted)) for wanted in (False, True))
    x, _ = initial_noise(REQUEST, plain.latent_shape)
    told = stack([plain.encode(text) for text in ("a nurse", "ten doctors", "")])
    t = torch.tensor(400)

    def edit(hidden: torch.Tensor) -> torch.Tensor:
        return hidden + 1

    changes = [(told, None), (told, edit), (told, None)]
    if kind == "sd":
        changes.insert(1, (replace(told, emphasis=torch.full(told.tokens.shape[:2], 9.0)), None))
    expected = [plain.predict(x, t, *change) for change in changes]
    for change, output in zip(changes, expected, strict=True):
        torch.testing.assert_close(compiled.predict(x, t, *change), output, atol=1e-4, rtol=1e-4)
    assert all(not torch.allclose(output, expected[0], atol=1e-3) for output in expected[1:-1])
