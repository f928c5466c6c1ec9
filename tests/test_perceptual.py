import warnings

import numpy as np
import pytest
import torch

from fairaudit.errors import ModelError
from fairaudit.perceptual import lpips_distance


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Convolutions as torchvision stores them, with random weights."""
    from torchvision.models import alexnet

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    kept = {name: value for name, value in alexnet(weights=None).state_dict().items() if "features" in name}
    torch.save(kept, path)
    return path


@pytest.fixture(scope="module")
def pictures():
    return list(np.random.default_rng(0).integers(0, 256, size=(40, 64, 64, 3), dtype=np.uint8))


def test_equal_pictures_have_no_distance_and_either_order_the_same(weights, pictures):
    a, b = pictures[:5], pictures[5:10]
    assert lpips_distance(a, a, weights) == pytest.approx(np.zeros(5), abs=1e-9)
    assert lpips_distance(a, b, weights) == pytest.approx(lpips_distance(b, a, weights), rel=1e-5)
    assert (lpips_distance(a, b, weights) > 0).all()


def test_batches_do_not_matter(weights, pictures):
    whole = lpips_distance(pictures, pictures[::-1], weights)
    alone = [lpips_distance([a], [b], weights)[0] for a, b in zip(pictures[:3], pictures[::-1], strict=False)]
    assert whole[:3] == pytest.approx(alone, rel=1e-4)
    assert lpips_distance([], [], weights).shape == (0,)


def test_the_number_is_that_of_the_package(weights, pictures):
    from lpips import LPIPS
    from torchvision.models import alexnet

    whole = alexnet(weights=None)
    whole.load_state_dict(torch.load(weights, weights_only=True), strict=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = LPIPS(net="alex", pnet_rand=True, verbose=False)
    for part in range(1, 6):
        for name, _ in getattr(package.net, f"slice{part}").named_children():
            setattr(getattr(package.net, f"slice{part}"), name, whole.features[int(name)])
    pair = [torch.from_numpy(pictures[i]).permute(2, 0, 1)[None] / 255 for i in (0, 1)]
    with torch.inference_mode():
        expected = package(*pair, normalize=True).item()
    assert lpips_distance(pictures[:1], pictures[1:2], weights)[0] == pytest.approx(expected, rel=1e-4)


def test_a_file_of_something_else_is_named(tmp_path, pictures):
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for name in ("other.pth", "text.pth"):
        with pytest.raises(ModelError, match=f"{name} holds no AlexNet"):
            lpips_distance(pictures[:1], pictures[:1], tmp_path / name)
