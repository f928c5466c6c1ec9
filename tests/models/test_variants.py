"""A base model and a file of weights: LoRA, replaced weights, and files that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from fairaudit.diffusion import initial_noise
from fairaudit.embedding import stack
from fairaudit.errors import ModelError, UsageError
from fairaudit.models.diffusers import load
from fairaudit.models.families.base import Family
from fairaudit.plan import SamplingPlan
from fairaudit.sources import open_model
from tests.models.test_families import CPU, REQUEST
from tests.tiny import save_tiny_ddpm, save_tiny_flux

ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0.attn2"
KEY, VALUE = f"{ATTENTION}.to_k.weight", f"{ATTENTION}.to_v.weight"


def variant(base: Path, file: Path) -> Family:
    model = open_model(f"{base}+{file}").load(CPU, SamplingPlan())
    assert isinstance(model, Family)
    return model


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def lora(folder: Path, prefix: str = "unet") -> Path:
    """Rank 3 on one projection, in the layout that diffusers saves."""
    weights = {
        f"{prefix}.{ATTENTION}.to_k.lora_A.weight": random(3, 16, seed=1),
        f"{prefix}.{ATTENTION}.to_k.lora_B.weight": random(32, 3, seed=2),
    }
    save_file(weights, folder / "pytorch_lora_weights.safetensors")
    return folder / "pytorch_lora_weights.safetensors"


def output(model: Family) -> Tensor:
    x, _ = initial_noise(REQUEST, model.latent_shape)
    told = stack([model.encode(text) for text in ("a nurse", "ten doctors", "")])
    return model.predict(x, torch.tensor(400), told)


@pytest.mark.parametrize("named", ["file", "folder"])
def test_a_lora_is_the_merged_weights(tiny_pipeline: Path, tmp_path: Path, named: str) -> None:
    file = lora(tmp_path)
    changed = variant(tiny_pipeline, file if named == "file" else tmp_path)
    merged = load(str(tiny_pipeline), CPU)
    weight = merged.network.state_dict()[KEY]
    weight += random(32, 3, seed=2) @ random(3, 16, seed=1)
    torch.testing.assert_close(output(changed), output(merged), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(output(changed), output(load(str(tiny_pipeline), CPU)), atol=1e-3)
    assert changed.network.state_dict().keys() == merged.network.state_dict().keys()


def test_replaced_weights_are_exactly_those_of_the_file(tiny_pipeline: Path, tmp_path: Path) -> None:
    """As UCE writes them: keys and values of the cross-attention."""
    edits = {KEY: random(32, 16, seed=3), VALUE: random(32, 16, seed=4)}
    save_file(edits, tmp_path / "uce.safetensors")
    changed, base = variant(tiny_pipeline, tmp_path / "uce.safetensors"), load(str(tiny_pipeline), CPU)
    before = base.network.state_dict()
    for name, weight in changed.network.state_dict().items():
        assert torch.equal(weight, edits.get(name, before[name])), name
    assert not torch.allclose(output(changed), output(base), atol=1e-3)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({"up.nowhere.weight": torch.zeros(2)}, "'up.nowhere.weight', which the model's UNet2D"),
        ({KEY: torch.zeros(32, 17)}, r"to_k.weight is \(32, 17\), and the model's is \(32, 16\)"),
        ({"unet.nowhere.to_k.lora_A.weight": torch.zeros(3, 16)}, "does not fit this model"),
        ({"other.to_k.lora_A.weight": torch.zeros(3, 16)}, "does not fit this model"),
        (
            {
                f"unet.{place}.lora_{half}.weight": torch.zeros(*shape)
                for place in (f"{ATTENTION}.to_k", "nowhere.to_k")
                for half, shape in (("A", (3, 16)), ("B", (32, 3)))
            },
            "1 of 2 layers have no place",
        ),
        ({f"unet.{ATTENTION}.to_k.lora_A.weight": torch.zeros(3, 15)}, "does not fit this model"),
        ({}, "holds no weights"),
    ],
)
def test_files_that_do_not_fit_are_refused_in_one_sentence(
    tiny_pipeline: Path, tmp_path: Path, weights: dict[str, Tensor], reason: str
) -> None:
    save_file(weights, tmp_path / "edit.safetensors")
    with pytest.raises(ModelError, match=reason) as caught:
        variant(tiny_pipeline, tmp_path / "edit.safetensors")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_safetensors_is_never_unpickled(tiny_pipeline: Path, tmp_path: Path) -> None:
    torch.save({KEY: torch.zeros(32, 16)}, tmp_path / "edit.bin")
    with pytest.raises(UsageError, match="safetensors files only"):
        open_model(f"{tiny_pipeline}+{tmp_path / 'edit.bin'}")
    (tmp_path / "edit.bin").rename(tmp_path / "edit.safetensors")
    with pytest.raises(ModelError, match="is no safetensors file"):
        variant(tiny_pipeline, tmp_path / "edit.safetensors")


def test_a_lora_takes_peft(tiny_pipeline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairaudit.models.variants.find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'fairaudit\[lora\]'"):
        variant(tiny_pipeline, lora(tmp_path))


def test_a_model_without_text_takes_no_lora(tmp_path: Path) -> None:
    base = save_tiny_ddpm(tmp_path / "base")
    with pytest.raises(ModelError, match="a DDPMPipeline takes none"):
        variant(base, lora(tmp_path))


def test_flux_takes_replaced_weights(tmp_path: Path) -> None:
    name = "transformer_blocks.0.attn.to_v.weight"
    save_file({name: torch.zeros(32, 32)}, tmp_path / "edit.safetensors")
    save_tiny_flux(tmp_path / "base")
    source = open_model(f"{tmp_path / 'base'}+{tmp_path / 'edit.safetensors'}")
    changed = source.load(CPU, SamplingPlan(height=16, width=16))
    assert isinstance(changed, Family)
    assert not changed.network.state_dict()[name].any()


def test_the_fingerprint_is_that_of_base_and_file(tiny_pipeline: Path, tmp_path: Path) -> None:
    file = lora(tmp_path)
    base, changed = open_model(str(tiny_pipeline)).fingerprint(), open_model(f"{tiny_pipeline}+{file}")
    before = changed.fingerprint()
    assert {name: before[name] for name in base} == base
    assert len(before) == len(base) + 1
    save_file({KEY: torch.zeros(32, 16)}, file)
    assert changed.fingerprint() != before


def test_a_variant_is_deployed_as_its_base(tmp_path: Path) -> None:
    file = lora(tmp_path)
    assert open_model(f"builtin:faces64+{file}").defaults() == open_model("builtin:faces64").defaults()


def test_a_plus_in_a_folders_name_is_no_variant(tmp_path: Path) -> None:
    folder = save_tiny_ddpm(tmp_path / "a+b")
    assert open_model(str(folder)).fingerprint().keys() >= {"model_index.json"}
    file = tmp_path / "c+d.safetensors"
    save_file({"conv_out.bias": torch.ones(3)}, file)
    assert variant(folder, file).network.conv_out.bias.tolist() == [1, 1, 1]


@pytest.mark.parametrize("name", ["builtin:faces64+", "builtin:faces64+nothing.safetensors", "+x"])
def test_a_file_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(UsageError, match="there is no file of weights"):
        open_model(name)
