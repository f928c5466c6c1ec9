"""The mismatch of two scores against the Kullback-Leibler divergence that it adds up to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

from fairaudit.asking import Room
from fairaudit.attributes import get_attribute
from fairaudit.models.gaussian import GaussianModel
from fairaudit.models.meanings import Meanings
from fairaudit.models.mixtures import make_mixture
from fairaudit.transition.mismatch import Profile, accrue, denoising_profiles
from tests.transition.worlds import Gaussians, setting_of

MEANS, SD = np.array([-2.0, 2.0]), 0.5
MODEL, TARGET = np.array([0.9, 0.1]), np.array([0.5, 0.5])


def log_density(y: np.ndarray, s: float, shares: np.ndarray) -> np.ndarray:
    """Of y = x / alpha at sigma / alpha = s."""
    return logsumexp(norm.logpdf(y[:, None], MEANS, np.hypot(SD, s)), b=shares, axis=1)


def expected_noise(y: np.ndarray, s: float, shares: np.ndarray) -> np.ndarray:
    """Minus s times the score of y."""
    joint = np.log(shares) + norm.logpdf(y[:, None], MEANS, np.hypot(SD, s))
    posterior = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    return s * (posterior * (y[:, None] - MEANS)).sum(1) / (SD**2 + s**2)


def grid(s: float) -> np.ndarray:
    width = 4 + 12 * np.hypot(SD, s)
    return np.linspace(-width, width, 1201)


def density(s: float) -> float:
    y = grid(s)
    weight = np.exp(log_density(y, s, TARGET))
    return float(
        np.trapezoid(weight * np.square(expected_noise(y, s, MODEL) - expected_noise(y, s, TARGET)), y)
    )


def divergence(s: float) -> float:
    y = grid(s)
    target = log_density(y, s, TARGET)
    return float(np.trapezoid(np.exp(target) * (target - log_density(y, s, MODEL)), y))


@pytest.fixture(scope="module")
def exact() -> Profile:
    log_ratio = np.linspace(np.log(3e5), np.log(5e-3), 400)
    found = np.array([density(float(np.exp(one))) for one in log_ratio])
    accrued = accrue(log_ratio, found)
    return Profile(log_ratio, log_ratio, found, accrued, accrued, accrued)


def test_the_mismatch_is_what_the_divergence_loses(exact: Profile) -> None:
    gained = divergence(5e-3) - divergence(3e5)
    assert exact.nats == pytest.approx(gained, abs=1e-9)
    # A schedule that ends at abar = exp(-10.05), beta from .1 to 20, leaves a little out.
    assert gained + divergence(3e5) - divergence(np.exp(10.05 / 2)) == pytest.approx(0.5107060, abs=1e-7)


def test_of_groups_apart_it_is_the_divergence_of_their_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.transition.test_mismatch.SD", 0.25)
    log_ratio = np.linspace(np.log(3e5), np.log(5e-3), 400)
    nats = accrue(log_ratio, np.array([density(float(np.exp(one))) for one in log_ratio]))[-1]
    assert nats == pytest.approx(float((TARGET * np.log(TARGET / MODEL)).sum()), abs=1e-6)


def test_it_is_decided_where_groups_part(exact: Profile) -> None:
    """From noise to image 10, 50 and 90 % have accrued at signals of .04, .22 and .55."""
    signals = [1 / (1 + np.exp(2 * exact.decided(part))) for part in (0.1, 0.5, 0.9)]
    np.testing.assert_allclose(signals, [0.04, 0.22, 0.55], atol=0.006)


def mixture_model(shares: tuple[float, float], sd: float) -> GaussianModel:
    mixture = make_mixture(torch.tensor([[-2.0], [2.0]]), torch.full((2,), sd**2), torch.tensor(shares))
    meanings = Meanings((get_attribute("gender"),), (("female",), ("male",)), {"person": shares})
    return GaussianModel(mixture, meanings, (1,))


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_losses_of_denoising_measure_it_without_a_score(share: float) -> None:
    """Own words against none: the mean over a fair target of -log(share of the value)."""
    model = mixture_model((share, 1 - share), 0.25)
    setting = setting_of(model, room=Room(1200))
    signs = np.repeat([-2.0, 2.0], 300)
    clean = torch.tensor(np.random.default_rng(0).normal(signs, 0.25))[:, None]
    own = tuple(f"a photo of a {value} person" for value in np.repeat(["female", "male"], 300))
    found = denoising_profiles(setting, clean, own, {"none": ("a photo of a person",) * 600}, levels=100)[
        "none"
    ]
    truth = -0.5 * (np.log(share) + np.log(1 - share))
    assert found.low[-1] <= truth <= found.high[-1]
    assert found.nats == pytest.approx(truth, rel=0.1)
    assert (np.diff(found.times) < 0).all()


def test_a_condition_mismatches_itself_by_nothing() -> None:
    model = Gaussians({"female": [1.0, 0.0], "male": [-1.0, 0.0]}, 0.2)
    own = ("a female person", "a male person")
    found = denoising_profiles(setting_of(model), torch.zeros(2, 2), own, {"own": own}, levels=5)["own"]
    assert found.nats == 0
    assert found.as_record()["nats"] == {"value": 0.0, "low": 0.0, "high": 0.0}
