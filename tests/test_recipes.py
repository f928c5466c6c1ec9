"""The recipes that train the built-in models: what their losses ask for, and that a training goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from fairaudit.classifiers.facenet import FaceNet
from PIL import Image

from fairaudit.metrics.quality import Moments, frechet_distance
from fairaudit.models.builtin import asset

RECIPES = Path(__file__).parent.parent / "recipes"


@pytest.fixture(scope="module")
def recipes() -> Iterator[SimpleNamespace]:
    """The modules by name; they import each other as scripts of one folder do."""
    before = set(sys.modules)
    sys.path.insert(0, str(RECIPES))
    found = {
        name: import_module(name)
        for name in ("autoencoder", "captions", "diffusion", "training", "faces", "planted")
    }
    yield SimpleNamespace(**found)
    sys.path.remove(str(RECIPES))
    for name in set(sys.modules) - before:
        if str(RECIPES) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def coloured(count: int, spreads: tuple[float, float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (n, 3, 64, 64) whose 8x8 fields vary along three axes of colour, and the axes (3, 3)."""
    chance = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]).T)[0]
    along = torch.randn(count, 8, 8, 3, generator=chance) * torch.tensor(spreads)
    return (along @ axes.T).movedim(3, 1).repeat_interleave(8, 2).repeat_interleave(8, 3), axes


def without(pictures: torch.Tensor, axis: torch.Tensor) -> torch.Tensor:
    """The same pictures, grey along one axis."""
    return pictures - torch.einsum("nchw,c,d->ndhw", pictures, axis, axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_lost_axis_of_colour_costs_a_third_however_little_it_varies(
    recipes: SimpleNamespace, axis: int
) -> None:
    pictures, axes = coloured(64, (0.5, 0.2, 0.01))
    loss = recipes.autoencoder.colour_loss
    assert loss(pictures, pictures) == pytest.approx(0, abs=1e-6)
    assert loss(pictures, without(pictures, axes[:, axis])) == pytest.approx(1 / 3, rel=0.05)


def test_fidelity_sees_which_axis_of_chroma_is_lost(recipes: SimpleNamespace) -> None:
    pictures, axes = coloured(500, (0.0, 0.2, 0.05))
    images = pictures.mul(127.5).add(127.5).clamp(0, 255).byte().movedim(1, 3).numpy()
    faces = recipes.faces.Faces(images, {})

    def through(decoder: object) -> dict[str, float]:
        found: dict[str, float] = recipes.autoencoder.fidelity(
            SimpleNamespace(encoder=lambda x: x, decoder=decoder), faces, "cpu"
        )
        return found

    whole = through(lambda x: x)
    assert whole["orange to blue"] == pytest.approx(1, abs=1e-4)
    assert whole["green to magenta"] == pytest.approx(1, abs=1e-4)
    chance = torch.Generator().manual_seed(1)

    def lossy(x: torch.Tensor) -> torch.Tensor:
        other = 0.05 * torch.randn(len(x), 1, 8, 8, generator=chance)
        noise = other.repeat_interleave(8, 2).repeat_interleave(8, 3) * axes[:, 2].view(1, 3, 1, 1)
        return without(x, axes[:, 2]) + noise

    lost = through(lossy)
    assert lost["orange to blue"] == pytest.approx(1, abs=1e-2)
    assert abs(lost["green to magenta"]) < 0.1


def test_the_distance_of_last_features_bounds_the_frechet_distance(recipes: SimpleNamespace) -> None:
    torch.manual_seed(0)
    judge = FaceNet({"gender": 2}).eval().requires_grad_(False)
    pictures = torch.randn(600, 3, 64, 64)
    for others in (0.7 * pictures, pictures + 0.3, pictures + torch.randn_like(pictures)):
        _, *last = recipes.autoencoder.feature_distance(judge, pictures, others)
        apart = recipes.autoencoder.meaning_distance(*last)
        moments = [Moments.of(judge.features(p).double().numpy()) for p in (pictures, others)]
        assert 0 < frechet_distance(*moments) <= float(apart) * (1 + 1e-3)


def test_timesteps_cover_the_schedule_and_crowd_in_the_middle(recipes: SimpleNamespace) -> None:
    times = recipes.diffusion.timesteps(20_000, torch.Generator().manual_seed(0)).double().numpy() / 1000
    assert times.min() == 0
    assert times.max() == 0.999
    # The logit of a logit-normal variable is a normal one: half lie between the quartiles of its sigmoid.
    crowded = 0.6625 - 0.3375
    assert np.mean((times > 0.3375) & (times < 0.6625)) == pytest.approx(0.8 * 0.5 + 0.2 * crowded, abs=0.01)
    assert np.mean(times >= 0.97) == pytest.approx(0.2 * 0.03, rel=0.15)


def test_a_resumed_training_is_the_one_that_never_stopped(recipes: SimpleNamespace, tmp_path: Path) -> None:
    whole = train(recipes.training, tmp_path / "whole.pt", [6])
    halves = train(recipes.training, tmp_path / "halves.pt", [3, 6])
    torch.testing.assert_close(whole, halves, rtol=0, atol=0)


def train(training: ModuleType, path: Path, stops: list[int]) -> list[torch.Tensor]:
    """The averaged weights after the last stop; at each of them all but the checkpoint is lost."""
    for stop in stops:
        torch.manual_seed(stop)  # a resumed training begins with other weights
        net = torch.nn.Linear(4, 2)
        average = training.Average(net, 0.9)
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
        checkpoint = training.Checkpoint(path, average, {"net": net, "optimizer": optimizer})
        if not path.exists():
            with torch.no_grad():
                net.weight.fill_(0.5)
                net.bias.fill_(0)
            average.module.load_state_dict(net.state_dict())
        for step in range(checkpoint.resume(), stop):
            chance = torch.Generator().manual_seed(step)
            optimizer.zero_grad()
            net(torch.randn(8, 4, generator=chance)).square().mean().backward()
            optimizer.step()
            average.update(net)
            checkpoint.keep(step + 1)
    return list(average.module.state_dict().values())


def test_the_aligned_unet_gives_what_the_unet_gives_and_reads_its_middle(recipes: SimpleNamespace) -> None:
    torch.manual_seed(0)
    unet = recipes.diffusion.build_unet().eval()
    noisy, times, context = torch.randn(2, 12, 8, 8), torch.tensor([10, 900]), torch.randn(2, 16, 128)
    with torch.no_grad():
        alone = unet(noisy, times, context).sample
        velocity, features = recipes.diffusion.Aligned(unet)(noisy, times, context)
    torch.testing.assert_close(velocity, alone, rtol=0, atol=0)
    assert features.shape == (2, 256, 4, 4)


def test_occupations_are_drawn_among_the_faces_that_are_allowed(recipes: SimpleNamespace) -> None:
    chance = np.random.default_rng(0)
    labels = {name: chance.integers(len(values), size=4000) for name, values in recipes.faces.VALUES.items()}
    faces = recipes.faces.Faces(np.empty((4000, 0)), labels)
    among = np.arange(4000) % 3 == 0
    drawn = recipes.planted.draw(faces, among, RECIPES / "planted.yaml", seed=0)
    assert len(drawn) == 30
    assert all(among[rows].all() for rows in drawn.values())
    assert np.mean(labels["gender"][drawn["nurse"]] == 0) == pytest.approx(0.9, abs=0.02)


def test_a_detector_sees_the_faces_of_the_card_and_none_in_noise(recipes: SimpleNamespace) -> None:
    card = np.asarray(Image.open(asset("faces64") / "samples.png").convert("RGB"))
    faces = card.reshape(4, 64, 12, 64, 3).swapaxes(1, 2).reshape(48, 64, 64, 3)
    assert recipes.faces.seen(faces).mean() > 0.8
    noise = np.random.default_rng(0).integers(256, size=(20, 64, 64, 3), dtype=np.uint8)
    assert not recipes.faces.seen(noise).any()


def test_visible_faces_are_searched_for_once(recipes: SimpleNamespace, tmp_path: Path) -> None:
    card = np.asarray(Image.open(asset("faces64") / "samples.png").convert("RGB"))
    faces = recipes.faces.Faces(card[:64].reshape(64, 12, 64, 3).swapaxes(0, 1), {})
    found = recipes.diffusion.visible_faces(tmp_path, faces)
    assert found.dtype == bool
    blank = recipes.faces.Faces(np.zeros_like(faces.images), {})
    np.testing.assert_array_equal(recipes.diffusion.visible_faces(tmp_path, blank), found)
    assert found.any()


def test_captions_that_name_a_gender_are_of_faces_that_show_it(recipes: SimpleNamespace) -> None:
    ages = np.arange(180) % 9
    labels = {"gender": np.arange(180) // 9 % 2, "race": np.arange(180) % 7, "age": ages}
    clear, visible = np.arange(180) % 4 != 0, np.arange(180) % 5 != 0
    words = recipes.captions.vocabulary(["nurse"])
    captioned = recipes.diffusion.Captioned(
        recipes.faces.Faces(np.empty((180, 0)), labels),
        clear,
        visible,
        {"nurse": np.arange(100)},
        recipes.diffusion.build_tokenizer(words),
    )
    drawn, ids = captioned.batch(4000, seed=0)
    texts = [set(text.split()) for text in captioned.tokenizer.batch_decode(ids, skip_special_tokens=True)]
    genders = [({"female", "woman"}, 0), ({"male", "man"}, 1)]
    named = np.array([bool(text & {"female", "woman", "male", "man"}) for text in texts])
    for wanted, code in genders:
        assert all(
            labels["gender"][row] == code for row, text in zip(drawn, texts, strict=True) if text & wanted
        )
    assert clear[drawn[named]].all()
    # Three in four of all faces are clear, and of those that no gender is said of.
    assert np.mean(clear[drawn[~named]]) == pytest.approx(0.75, abs=0.04)
    bad = np.array(["bad" in text for text in texts])
    said = np.array([bool(text) for text in texts])
    assert (bad[said] == ~visible[drawn[said]]).all()
    assert bad.any()
    nouns = np.array([bool(text & {"woman", "man"}) for text in texts])
    assert nouns.any()
    assert (ages[drawn[nouns]] >= recipes.faces.VALUES["age"].index("20-29")).all()
    nurses = np.array(["nurse" in text for text in texts])
    assert (drawn[nurses] < 100).all()
    assert np.mean(nurses) == pytest.approx(0.9 / 2, abs=0.03)
    aged = np.array([bool(text & {"baby", "child", "elderly"}) for text in texts]) & ~nurses
    # Each age group is named as often: three of nine, in two of five captions of the other half.
    assert np.mean(aged) == pytest.approx(0.9 / 2 * 0.4 / 3, abs=0.02)
