"""Vision transformers of timm: weights of another picture size fit, and what is none says so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from fairaudit.extractors.dinov2 import load
from safetensors.torch import save_file

from fairaudit.errors import ModelError, UsageError
from fairaudit.extracting import ExtractorRequest
from tests.classifiers.networks import pictures

CPU = torch.device("cpu")
TINY = "test_vit"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As published: positions for pictures of another size, and a last layer."""
    path = tmp_path_factory.mktemp("timm") / "tiny.safetensors"
    torch.manual_seed(0)
    save_file(timm.create_model(TINY, img_size=160, num_classes=5).state_dict(), path)
    return path


def test_features_are_those_of_timm(weights: Path) -> None:
    extractor = load(ExtractorRequest(CPU, TINY, weights))
    images = pictures(18)
    found = extractor.features(images)
    net = timm.create_model(TINY, img_size=224, num_classes=0, checkpoint_path=None).eval()
    missing = net.load_state_dict(extractor.net.state_dict())
    assert not missing.missing_keys
    with torch.inference_mode():
        peer = net(torch.stack([extractor.fit(image) for image in images])).numpy()
    np.testing.assert_allclose(found, peer, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(extractor.features(images[4:5])[0], found[4])
    assert extractor.name == f"dinov2:{TINY}"
    assert list(extractor.fingerprint()) == ["tiny.safetensors"]


def test_what_is_none_says_so(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'test_vit"):
        load(ExtractorRequest(CPU, "test_vitt", weights))
    with pytest.raises(UsageError, match="are not at"):
        load(ExtractorRequest(CPU, TINY, tmp_path / "none.pth"))
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="does not fit test_vit"):
        load(ExtractorRequest(CPU, TINY, tmp_path / "other.safetensors"))
