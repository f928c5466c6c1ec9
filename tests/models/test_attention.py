"""Weighted cross-attention and an edited middle block, for one call and no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fairaudit.diffusion import initial_noise
from fairaudit.embedding import Embedding, stack
from fairaudit.models.diffusers import load
from fairaudit.models.execution import Execution
from fairaudit.models.families.base import Family
from tests.models.test_families import CPU, REQUEST
from tests.tiny import save_tiny_ddpm, save_tiny_pipeline, save_tiny_xl

T = torch.tensor(400)


class Maps:
    """Attention written out: maps after the softmax, multiplied by a factor per token of the text."""

    def __init__(self, factors: Tensor | None) -> None:
        self.factors = factors

    def __call__(
        self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None, **_: Any
    ) -> Tensor:
        text = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (
            attn.head_to_batch_dim(part)
            for part in (attn.to_q(hidden_states), attn.to_k(text), attn.to_v(text))
        )
        maps = (query @ key.transpose(1, 2) * attn.scale).softmax(-1)
        if encoder_hidden_states is not None and self.factors is not None:
            maps = maps * self.factors.repeat_interleave(attn.heads, 0)[:, None]
        return attn.to_out[0](attn.batch_to_head_dim(maps @ value))


@pytest.fixture(scope="module", params=[save_tiny_pipeline, save_tiny_xl], ids=["sd", "sdxl"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Family:
    save: Callable[..., Path] = request.param
    return load(str(save(tmp_path_factory.mktemp("unet"))), CPU)


def asked(model: Family) -> tuple[Tensor, Embedding]:
    x, _ = initial_noise(REQUEST, model.latent_shape)
    return x, stack([model.encode(text) for text in ("a nurse", "ten doctors", "")])


def test_factors_multiply_the_maps_after_the_softmax(model: Family) -> None:
    x, condition = asked(model)
    factors = torch.rand(3, condition.tokens.shape[1], generator=torch.Generator().manual_seed(0)) * 10
    ours = model.predict(x, T, replace(condition, emphasis=factors))
    ordinary = dict(model.network.attn_processors)
    model.network.set_attn_processor(Maps(factors))
    try:
        theirs = model.predict(x, T, condition)
    finally:
        model.network.set_attn_processor(ordinary)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(ours, model.predict(x, T, condition), atol=1e-3)


def test_factors_of_one_change_nothing_and_leave_nothing_behind(model: Family) -> None:
    x, condition = asked(model)
    before = model.predict(x, T, condition)
    ones = replace(condition, emphasis=torch.ones(3, condition.tokens.shape[1]))
    torch.testing.assert_close(model.predict(x, T, ones), before)
    model.predict(x, T, replace(condition, emphasis=7 * ones.emphasis))  # type: ignore[operator]
    assert torch.equal(model.predict(x, T, condition), before)


def test_factors_hold_in_sliced_attention(tmp_path: Path) -> None:
    save_tiny_pipeline(tmp_path)
    whole, sliced = load(str(tmp_path), CPU), load(str(tmp_path), CPU, Execution(saving="slicing"))
    x, condition = asked(whole)
    emphasised = replace(condition, emphasis=torch.full((3, condition.tokens.shape[1]), 3.0))
    for told in (condition, emphasised):
        torch.testing.assert_close(
            whole.predict(x, T, told), sliced.predict(x, T, told), atol=1e-5, rtol=1e-4
        )


def test_the_middle_block_is_edited_in_one_call(model: Family) -> None:
    x, condition = asked(model)
    seen: list[Tensor] = []

    def edit(hidden: Tensor) -> Tensor:
        seen.append(hidden)
        return hidden + 1

    before = model.predict(x, T, condition)
    assert torch.equal(model.predict(x, T, condition, lambda hidden: hidden), before)
    assert not torch.allclose(model.predict(x, T, condition, edit), before, atol=1e-4)
    assert torch.equal(model.predict(x, T, condition), before)
    assert [hidden.shape for hidden in seen] == [(3, 32, 4, 4)]


def test_a_failing_edit_leaves_nothing_behind(tmp_path: Path) -> None:
    model = load(str(save_tiny_ddpm(tmp_path)), CPU)
    x, _ = initial_noise(REQUEST, model.latent_shape)
    told = stack([model.encode("")] * 3)
    before = model.predict(x, T, told)
    with pytest.raises(ZeroDivisionError):
        model.predict(x, T, told, lambda hidden: hidden * (1 // 0))
    assert torch.equal(model.predict(x, T, told), before)
