"""Numbers on Inception's features are those of clean-fid on the same folders."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from cleanfid import fid, inception_pytorch
from cleanfid.inception_torchscript import InceptionV3W
from fairaudit.extractors import inception
from fairaudit.extractors.inception import InceptionExtractor
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from fairaudit.errors import UsageError
from fairaudit.extracting import ExtractorRequest
from fairaudit.fetching import find_asset
from fairaudit.metrics.kernels import Similar, cubic, kid
from fairaudit.metrics.quality import Moments, Reference, frechet_interval

CPU = torch.device("cpu")
REQUEST = ExtractorRequest(CPU)


class Small(nn.Module):
    """A network of 12 features for pictures of 299 pixels in [0, 255]."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(3, 12, 23, 23), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.net((pictures - 128) / 32)


class Scripted(nn.Module):
    """What clean-fid's file of weights looks like from outside: `layers` gives 2048 features."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(nn.Conv2d(3, 32, 37, 37), nn.ReLU(), nn.Flatten())

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.layers(pictures)


def pictures(count: int, seed: int, contrast: float = 1.0) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(seed)
    return [
        (128 + contrast * rng.normal(0, 40, (20 + seed, 24, 3)).clip(-120, 120)).astype(np.uint8)
        for _ in range(count)
    ]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name, some in (("made", pictures(24, 0, 0.8)), ("real", pictures(24, 1))):
        (tmp_path / name).mkdir()
        for number, picture in enumerate(some):
            Image.fromarray(picture).save(tmp_path / name / f"{number:03d}.png")
    return tmp_path / "made", tmp_path / "real"


@pytest.mark.parametrize("mode", ["clean", "legacy_pytorch"])
def test_fid_and_kid_are_clean_fids(mode: str, folders: tuple[Path, Path], tmp_path: Path) -> None:
    net = Small()
    extractor = InceptionExtractor("inception", mode, net, tmp_path / "none", CPU)
    made, real = extractor.features(pictures(24, 0, 0.8)), extractor.features(pictures(24, 1))
    given = {"mode": mode, "num_workers": 0, "batch_size": 5, "device": CPU, "verbose": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy on the root that clean-fid takes
        theirs = fid.compute_fid(*map(str, folders), custom_feat_extractor=net, **given)
        features = [fid.get_folder_features(str(one), net, **given) for one in folders]
    ours = frechet_interval(made, Reference(Moments.of(real)))
    assert ours.value == pytest.approx(theirs, rel=1e-3)
    assert ours.value > 0.01
    peer = fid.kernel_distance(features[1], features[0], num_subsets=1)
    assert kid(made, Similar(real, cubic)).value == pytest.approx(peer, rel=1e-3)


def test_the_file_that_is_fetched_is_run_as_clean_fid_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "inception-2015-12-05.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the format of the file is not ours to choose
        torch.jit.script(Scripted()).save(weights)
    monkeypatch.setattr(inception, "find_asset", lambda name: weights)
    extractor = inception.load(REQUEST)
    found = extractor.features(pictures(18, 2))
    assert found.shape == (18, 2048)
    assert found.dtype == np.float32
    resized = [torch.from_numpy(extractor._resize(one)).permute(2, 0, 1) for one in pictures(18, 2)]
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        peer = InceptionV3W(str(tmp_path), download=False)(torch.stack(resized))
    np.testing.assert_allclose(found, peer.numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(extractor.features(pictures(18, 2)[5:6])[0], found[5])
    assert list(extractor.fingerprint()) == [weights.name]


def test_the_legacy_network_takes_the_fetched_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = nn.Linear(2, 2)
    download = inception_pytorch.load_state_dict_from_url

    class Loads(nn.Module):
        def __init__(self, output_blocks: list[int], resize_input: bool) -> None:
            super().__init__()
            self.net = nn.Linear(2, 2)
            self.net.load_state_dict(inception_pytorch.load_state_dict_from_url("nowhere", progress=False))

    monkeypatch.setattr(inception_pytorch, "InceptionV3", Loads)
    net = inception._built(inception_pytorch, made.state_dict())
    torch.testing.assert_close(net.net.weight, made.weight)
    assert inception_pytorch.load_state_dict_from_url is download


def test_what_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(inception, "find_asset", lambda name: None)
    for make, name in ((inception.load, "inception"), (inception.load_legacy, "inception-legacy")):
        with pytest.raises(UsageError, match=f"fairaudit fetch {name}`"):
            make(REQUEST)
    with pytest.raises(UsageError, match="takes no --weights"):
        inception.load(ExtractorRequest(CPU, weights=tmp_path))


@pytest.mark.skipif(find_asset("inception") is None, reason="the Inception weights are not on this machine")
def test_fid_with_the_real_weights_is_clean_fids(folders: tuple[Path, Path]) -> None:
    extractor = inception.load(REQUEST)
    made, real = extractor.features(pictures(24, 0, 0.8)), extractor.features(pictures(24, 1))
    given = {"mode": "clean", "num_workers": 0, "device": CPU, "verbose": False}
    theirs = [fid.get_folder_features(str(one), extractor.net, **given) for one in folders]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = fid.fid_from_feats(*theirs)
    from fairaudit.metrics.quality import frechet_to

    assert frechet_to(made, Reference(Moments.of(real))) == pytest.approx(peer, rel=1e-3)
    peer = fid.kernel_distance(theirs[1], theirs[0], num_subsets=1)
    assert kid(made, Similar(real, cubic)).value == pytest.approx(peer, rel=1e-3)
