"""The mixture as a generator: what the loop samples from exact predictions has the exact law."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from scipy.stats import norm
from torch import Tensor

from fairaudit.asking import Room
from fairaudit.attributes import ATTRIBUTES, join
from fairaudit.diffusion import sample
from fairaudit.embedding import Embedding
from fairaudit.errors import UsageError
from fairaudit.levels import Level, level_of
from fairaudit.models.gaussian import COSINE, SCALED_LINEAR, GaussianModel
from fairaudit.models.meanings import Meanings
from fairaudit.models.mixtures import make_mixture
from fairaudit.needs import Need
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request

GENDER = ATTRIBUTES["gender"]
MEANINGS = Meanings((GENDER,), (("female",), ("male",)), {"nurse": (0.9, 0.1), "baker": (0.3, 0.7)})


def model(kind: str = "full", betas: str = COSINE) -> GaussianModel:
    means = torch.tensor([[-2.0, 0.5], [2.0, 0.0]])
    full = torch.tensor([[[0.4, 0.2], [0.2, 0.3]], [[0.2, 0.0], [0.0, 0.5]]])
    covariances = full if kind == "full" else torch.tensor([0.25, 0.5])
    return GaussianModel(make_mixture(means, covariances, torch.ones(2)), MEANINGS, (2,), betas=betas)


def drawn(
    made: GaussianModel, text: str, *, count: int = 2000, steps: int = 50, kind: str = "ddim"
) -> Tensor:
    request = Request(Prompt(text), tuple(range(count)), GENDER, {"female": 0.5, "male": 0.5}, 1.0, 5)
    return sample(made, [Baseline()], request, scheduler=kind, steps=steps, room=Room(count))[
        "baseline"
    ].latents


def sliced(one: Tensor, other: Tensor) -> float:
    """Sliced Wasserstein-2 distance of two samples of one size."""
    angles = torch.linspace(0, np.pi, 33, dtype=torch.float64)[:-1]
    directions = torch.stack([angles.cos(), angles.sin()])
    apart = (one @ directions).sort(0).values - (other @ directions).sort(0).values
    return float(apart.square().mean().sqrt())


@pytest.mark.parametrize("kind", ["isotropic", "full"])
def test_exact_predictions_give_the_exact_law(kind: str) -> None:
    made = model(kind)
    law = made.mixture.given(MEANINGS.weights("a nurse"))
    found = drawn(made, "a photo of a nurse")
    generator = torch.Generator().manual_seed(1)
    one, *others = (law.draw(len(found), generator)[0] for _ in range(12))
    # As far from a draw of the law as other draws are; the other occupation is much further away.
    chance = max(sliced(other, one) for other in others)
    assert sliced(found, one) < 1.5 * chance
    assert sliced(drawn(made, "a photo of a baker"), one) > 8 * chance
    female = found[:, 0] < 0
    assert abs(float(female.double().mean()) - 0.9) < 0.02
    torch.testing.assert_close(found[female].mean(0), made.mixture.means[0], atol=0.05, rtol=0)
    torch.testing.assert_close(found.T.cov(), law.covariance(), atol=0.1, rtol=0.05)


@pytest.mark.parametrize("kind", ["ddpm", "euler", "euler-ancestral", "dpmsolver++", "heun", "unipc", "lms"])
def test_every_scheduler_finds_the_shares(kind: str) -> None:
    """Variance exploding or preserving, of one or several steps, drawing noise or not."""
    # Heun's second evaluation is at the next level, which on the cosine schedule is far from the first.
    betas = SCALED_LINEAR if kind == "heun" else COSINE
    found = drawn(model(betas=betas), "a photo of a nurse", kind=kind, count=1000)
    assert abs(float((found[:, 0] < 0).double().mean()) - 0.9) < 0.04
    law = model().mixture.given(torch.tensor([0.9, 0.1]))
    torch.testing.assert_close(found.T.cov(), law.covariance(), atol=0.2, rtol=0.15)


def test_the_schedule_of_stable_diffusion_begins_with_some_signal() -> None:
    """Where the truth has a mean, pure noise has none: a quantile of one is read in the other.

    Images of nurses so begin 0.07 * 1.6 too far right, and too few of them end on the left.
    """
    made = model(betas=SCALED_LINEAR)
    scheduler = made.scheduler("ddim", 50)
    first = level_of(scheduler, scheduler.timesteps[0])
    law = made.mixture.given(MEANINGS.weights("a nurse")).at(first)
    spread = float(law.covariance()[0, 0].sqrt())
    expected = norm.cdf(float(law.mean()[0]) + norm.ppf(0.9) * spread)
    assert 0.87 < expected < 0.89
    assert abs(float((drawn(made, "a nurse")[:, 0] < 0).double().mean()) - expected) < 0.02


def test_more_steps_than_there_are_levels_are_refused() -> None:
    with pytest.raises(UsageError, match="does not take 1001 steps"):
        model().scheduler("ddim", 1001)


def test_every_row_is_predicted_under_its_own_weights() -> None:
    made, x = model(), torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    t = torch.tensor(400)
    rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], dtype=torch.float64)
    together = made.predict(x, t, Embedding(rows))
    for row in range(3):
        alone = made.predict(x[row : row + 1], t, Embedding(rows[row : row + 1]))
        torch.testing.assert_close(together[row : row + 1], alone)
    level = level_of(made.scheduler("ddim", 10), t)
    # One Gaussian alone: the noise is linear in x.
    centre = level.alpha * made.mixture.means[:1]
    torch.testing.assert_close(
        made.predict(centre, t, Embedding(rows[:1])), torch.zeros(1, 2, dtype=torch.float64)
    )


def test_weights_off_the_simplex_are_brought_back() -> None:
    made, t = model(), torch.tensor(500)
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def predicted(*weights: float) -> Tensor:
        return made.predict(x, t, Embedding(torch.tensor([weights] * 4, dtype=torch.float64)))

    torch.testing.assert_close(predicted(1.8, 0.2), predicted(0.9, 0.1))
    torch.testing.assert_close(predicted(0.7, -0.4), predicted(1.0, 0.0))
    empty = made.encode("").tokens.tolist()
    for nothing in ((0.0, 0.0), (-1.0, -2.0)):
        torch.testing.assert_close(predicted(*nothing), predicted(*empty))


@pytest.mark.parametrize("level", [Level(0.6, 0.8), Level(1.0, 3.0)])
def test_guides_are_the_difference_of_conditional_scores(level: Level) -> None:
    """grad log p(value | x) = grad log p(x | value) - grad log p(x), whatever the parametrisation."""
    made = model()
    x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    noisy = made.guides(GENDER, "a photo of a nurse").noisy
    assert noisy is not None
    (slope,) = torch.autograd.grad(noisy(x, level)[:, 1].sum(), x)
    male, neutral = (MEANINGS.weights(text) for text in ("a male nurse", "a nurse"))
    difference = made.mixture.given(male).noise(x, level) - made.mixture.given(neutral).noise(x, level)
    torch.testing.assert_close(slope, -difference / level.sigma)


def test_guides_know_the_prior_of_their_prompt() -> None:
    made = model()
    for text, share in (("a nurse", 0.9), ("a baker", 0.3), ("", 0.6)):
        noisy = made.guides(GENDER, text).noisy
        assert noisy is not None
        at_noise = noisy(torch.zeros(1, 2, dtype=torch.float64), Level(0.0, 1.0))
        assert float(at_noise.exp()[0, 0]) == pytest.approx(share)


def test_guides_give_gradients_even_where_a_value_cannot_be() -> None:
    race = ATTRIBUTES["race"]
    cells = tuple((gender, value) for gender in GENDER.values for value in race.values)
    sheriff = [1.0 if cell[0] == "male" else 0.0 for cell in cells]
    mixture = make_mixture(torch.randn(14, 2), torch.ones(14), torch.ones(14))
    made = GaussianModel(mixture, Meanings((GENDER, race), cells, {"sheriff": sheriff}), (2,))
    for attribute in (GENDER, race, join([GENDER, race])):
        clean = made.guides(attribute, "a sheriff").clean
        assert clean is not None
        x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
        found = clean(x)
        torch.testing.assert_close(found.exp().sum(1), torch.ones(3, dtype=torch.float64))
        for value in range(len(attribute.values)):
            assert torch.autograd.grad(found[:, value].sum(), x, retain_graph=True)[0].isfinite().all()


def test_pictures_show_the_latents() -> None:
    cells = (("female",), ("male",))
    meanings = Meanings((GENDER,), cells, {"nurse": (0.5, 0.5)})
    mixture = make_mixture(torch.zeros(2, 12), torch.ones(2), torch.ones(2))
    made = GaussianModel(mixture, meanings, (3, 2, 2), zoom=2)
    latents = torch.linspace(-1.5, 1.5, 12, dtype=torch.float64).reshape(1, 3, 2, 2)
    picture = made.picture(latents)
    assert picture.shape == (1, 3, 4, 4)
    torch.testing.assert_close(picture[..., ::2, ::2], latents)
    decoded = made.decode(latents)
    assert (decoded.shape, decoded.dtype) == ((1, 4, 4, 3), np.uint8)
    assert decoded[0, 0, 0].tolist() == [0, round((latents[0, 1, 0, 0].item() + 1) * 127.5), 214]
    assert Need.SPATIAL in made.offers


def test_points_without_a_picture_are_grey_rows() -> None:
    made = model()
    assert Need.SPATIAL not in made.offers
    decoded = made.decode(torch.tensor([[-1.0, 1.0]], dtype=torch.float64))
    assert decoded.tolist() == [[[[0] * 3, [255] * 3]]]


def test_half_precision_is_the_precision_of_the_outputs_alone() -> None:
    made = model()
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    weights = Embedding(torch.tensor([[0.9, 0.1]] * 4))
    exact = made.predict(x.double(), torch.tensor(300), weights)
    torch.testing.assert_close(made.predict(x, torch.tensor(300), weights), exact.float(), atol=1e-6, rtol=0)
