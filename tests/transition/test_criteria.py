"""Criteria against the transition point that is known in closed form."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fairaudit.samplers.switching import Switching
from scipy.optimize import brentq

from fairaudit.asking import Room
from fairaudit.diffusion import sample
from fairaudit.errors import UsageError
from fairaudit.sampling import Request
from fairaudit.transition.criteria import CRITERIA, Search
from fairaudit.transition.exact import exact_search
from fairaudit.transition.keeping import Kept
from fairaudit.transition.paths import Paths
from fairaudit.transition.record import nearest_switch
from tests.transition.worlds import Gaussians, images_of, setting_of

PAIR = ("female", "male")
V = 0.3
MEANS = {"female": [1.0, 0.4], "male": [-1.0, 0.0]}


def truth(v: float) -> float:
    """Sigma / alpha = sqrt(3 v) on the cosine schedule, abar(t) = cos^2((t + .008) / 1.008 pi / 2)."""
    signal = 1 / (1 + 3 * v)
    return float(brentq(lambda t: math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2 - signal, 0, 1))


def search(model: Gaussians, images: int = 16, **how: object) -> Search:
    setting = setting_of(model, **how)

    def measure(latents: torch.Tensor) -> np.ndarray:
        return latents[:, 0].numpy()

    return Search(setting, images_of(setting, images), PAIR, measure)


@pytest.mark.parametrize("criterion", ["common", "paired", "law", "witness", "share"])
@pytest.mark.parametrize("v", [0.05, 0.3, 1.0])
def test_a_mean_shift_is_balanced_where_the_flow_shrinks_to_a_half(criterion: str, v: float) -> None:
    found = CRITERIA[criterion](search(Gaussians(MEANS, v)))
    assert found.curve.tau == pytest.approx(truth(v), abs=0.025)
    assert found.curve.tau_low <= found.curve.tau <= found.curve.tau_high


@pytest.mark.parametrize("criterion", ["published", "coefficients"])
def test_own_paths_do_not_see_a_mean_shift(criterion: str) -> None:
    """Each path predicts the noise it began with, so that what is balanced is next to nothing."""
    asked = search(Gaussians(MEANS, V))
    found = CRITERIA[criterion](asked)
    assert np.abs(asked.paths.differences).max() < 1e-3
    assert found.curve.tau > 0.9


def test_the_exact_search_is_the_published_formula() -> None:
    """Against the closed form of both paths: x = a (mu + c sqrt(v + s^2)), noise = c s / sqrt(v + s^2)."""
    model = Gaussians(MEANS, V, trained=100)
    asked = search(model, images=5)
    found = exact_search(asked)
    signals = model.signals.numpy()
    betas = model.scheduler("ddim", 1).betas.double().numpy()
    noise, sums = asked.batch.noise.double().numpy(), np.zeros((101, 5, 2))
    paths = [noise.copy(), noise.copy()]
    differences = {}
    for t in range(99, -1, -1):
        predicted = [
            np.sqrt(1 - signals[t]) * (x - np.sqrt(signals[t]) * np.array(MEANS[value]))
            / (signals[t] * V + 1 - signals[t])
            for x, value in zip(paths, PAIR, strict=True)
        ]  # fmt: skip
        differences[t] = betas[t] * (predicted[0] - predicted[1])
        before = signals[t - 1] if t else 1.0
        paths = [
            np.sqrt(before) * (x - np.sqrt(1 - signals[t]) * e) / np.sqrt(signals[t])
            + np.sqrt(1 - before) * e
            for x, e in zip(paths, predicted, strict=True)
        ]
    for tau in range(0, 100, 10):
        below = sum((differences[t] for t in range(tau)), np.zeros((5, 2)))
        sums[tau] = below - sum(differences[t] for t in range(tau, 100))
    curve = [np.linalg.norm(sums[tau], axis=0).mean() for tau in range(0, 100, 10)]
    np.testing.assert_allclose(found.curve.value, curve, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(found.curve.taus, np.arange(0, 100, 10) / 100)
    assert found.evaluations == 200


def test_an_exact_search_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    model = Gaussians(MEANS, V, trained=120)
    asked, kept = search(model, images=4), Kept(tmp_path / "kept.safetensors", "this search")
    whole = exact_search(asked).curve.value
    done: list[float] = []

    def interrupted(evaluations: float) -> None:
        done.append(evaluations)
        if len(done) == 90:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exact_search(replace(asked, advance=interrupted), kept=kept)
    assert Kept(kept.path, "another search").load() is None
    done += [0.0] * 10
    resumed = exact_search(replace(asked, advance=interrupted), kept=kept)
    np.testing.assert_array_equal(resumed.curve.value, whole)
    assert len(done) - 100 == 120 - 70
    assert not kept.path.exists()


@pytest.mark.parametrize("content", [b"", b"no tensors", bytes(64)])
def test_a_kept_file_that_is_none_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kept").write_bytes(content)
    assert Kept(tmp_path / "kept", "this search").load() is None


def test_the_clamp_of_the_exact_search_is_at_one() -> None:
    wide = {"female": [5.0, 0.0], "male": [-5.0, 0.0]}
    asked = search(Gaussians(wide, V, trained=50), images=4)
    free, cut = exact_search(asked), exact_search(asked, clamp=True)
    assert not np.allclose(free.curve.value, cut.curve.value)


def test_switched_paths_are_what_the_sampler_makes() -> None:
    model = Gaussians(MEANS, V)
    setting = setting_of(model, steps=12, guidance_scale=3.0)
    paths = Paths(setting, images_of(setting, 6), PAIR)
    request = Request(
        setting.prompts[0], tuple(range(6)), setting.attribute, {"female": 1.0, "male": 0.0}, 3.0, 0
    )
    for cut in (0, 3, 7, 12):
        tau = nearest_switch(float(paths.steps.bounds[cut]), paths.steps.times)
        samplers = [Switching(tau, turn, name=str(turn)) for turn in (0, 1)]
        made = sample(model, samplers, request, scheduler="ddim", steps=12, room=Room(32))
        for turn, latents in enumerate(paths.switched(cut)):
            torch.testing.assert_close(latents, made[str(turn)].latents)


@pytest.mark.parametrize(
    ("criterion", "guidance", "evaluations"),
    [("published", 1.0, 100), ("published", 2.0, 200), ("common", 1.0, 100), ("common", 2.0, 150)],
)
def test_evaluations_are_counted(criterion: str, guidance: float, evaluations: int) -> None:
    """Two values a step, and the empty text with each path; one path asks it once."""
    found = CRITERIA[criterion](search(Gaussians(MEANS, V), guidance_scale=guidance))
    assert found.evaluations == evaluations


@pytest.mark.parametrize("criterion", ["published", "law", "share"])
def test_what_a_search_costs_is_what_it_asked(criterion: str) -> None:
    asked = search(Gaussians(MEANS, V), steps=12, guidance_scale=2.0)
    found = CRITERIA[criterion](asked)
    assert found.evaluations == asked.paths.field.evaluations
    # Others on the same paths do not count against it.
    CRITERIA["paired"](asked)
    assert CRITERIA[criterion](asked).evaluations == found.evaluations


def test_a_search_by_halving_costs_a_twentieth_of_the_published() -> None:
    for criterion in ("witness", "share"):
        assert CRITERIA[criterion](search(Gaussians(MEANS, V), steps=20)).evaluations <= 100 * 2


def test_share_without_a_classifier_says_what_to_do() -> None:
    asked = search(Gaussians(MEANS, V))
    with pytest.raises(UsageError, match="witness"):
        CRITERIA["share"](Search(asked.setting, asked.batch, PAIR))
