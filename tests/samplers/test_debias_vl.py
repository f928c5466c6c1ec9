"""debias-vl: the closed form of its matrix, and the fair law it gives where a condition is a law."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.debias_vl import OCCUPATIONS, Debiased, DebiasVL, calibration

from fairaudit.embedding import Embedding
from fairaudit.errors import ModelError
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.prompts import Prompt
from tests.samplers.mixtures import AGE, BOTH, GENDER, mixture_model, request_of
from tests.test_diffusion import REQUEST, run

WORDS = (("female", "male"),)


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


def test_the_matrix_by_hand() -> None:
    """One pair along (0.6, 0.8): that direction shrinks by 1 + lambda |d|^2, the orthogonal one stays."""
    direction, orthogonal = torch.tensor([0.6, 0.8]).double(), torch.tensor([-0.8, 0.6]).double()
    matrix = calibration(2 * direction[None], 3.0)
    torch.testing.assert_close(matrix @ direction, direction / 13)
    torch.testing.assert_close(matrix @ orthogonal, orthogonal)
    torch.testing.assert_close(matrix, matrix.T)
    assert float((calibration(direction[None], 1e9) @ direction).norm()) < 1e-8
    assert torch.equal(calibration(direction[None], 0.0), torch.eye(2).double())


def test_pairs_are_averaged() -> None:
    """M = diag(1, 4) / 2 with lambda 2 is I + diag(1, 4)."""
    matrix = calibration(torch.tensor([[1.0, 0.0], [0.0, -2.0]]).double(), 2.0)
    torch.testing.assert_close(matrix, torch.diag(torch.tensor([1 / 2, 1 / 5]).double()))


def test_an_embedding_that_is_a_law_becomes_the_fair_law() -> None:
    """(0.9, 0.1) = (0.5, 0.5) + 0.4 (1, -1), and (1, -1) shrinks by 1 + 2 lambda."""
    model = mixture_model((GENDER,), [[3.0], [-1.0]], [0.9, 0.1])
    for strength in (0.0, 1.0, 500.0):
        law = Debiased("a photo of a nurse", WORDS, strength).embed(model.encode).tokens
        apart = 0.4 / (1 + 2 * strength)
        torch.testing.assert_close(law, torch.tensor([0.5 + apart, 0.5 - apart]).double())


def test_of_two_attributes_both_directions_are_taken_out() -> None:
    model = mixture_model((GENDER, AGE), [[0.0]] * 4, [0.1, 0.2, 0.3, 0.4])
    words = (*WORDS, ("young", "old"))
    law = Debiased("a photo of a nurse", words, 1e9).embed(model.encode).tokens
    for value in ("female", "male", "young", "old"):
        alone = model.encode(f"a photo of a {value} nurse").tokens
        other = {"female": "male", "male": "female", "young": "old", "old": "young"}[value]
        opposite = model.encode(f"a photo of a {other} nurse").tokens
        difference = alone / alone.norm() - opposite / opposite.norm()
        assert float(law @ difference) == pytest.approx(0, abs=1e-6)


def test_shares_on_a_mixture_are_those_of_the_fair_mixture() -> None:
    means = [[3.0], [-1.0]]
    request = request_of(GENDER, 30)
    made = run(mixture_model((GENDER,), means, [0.9, 0.1]), DebiasVL(strength=1e12), request=request)
    fair = run(mixture_model((GENDER,), means, [0.5, 0.5]), Baseline(), request=request)
    torch.testing.assert_close(made["debias-vl"].latents, fair["baseline"].latents)


def test_without_strength_it_is_the_baseline(model: StableDiffusion) -> None:
    for attribute in (GENDER, BOTH):
        target = dict.fromkeys(attribute.values, 1 / len(attribute.values))
        request = replace(REQUEST, attribute=attribute, target=target)
        made = run(model, Baseline(), DebiasVL(strength=0.0), DebiasVL(name="strong"), request=request)
        assert torch.equal(made["debias-vl"].latents, made["baseline"].latents)
        assert not torch.allclose(made["strong"].latents, made["baseline"].latents, atol=1e-3)


def test_every_token_is_multiplied_and_the_empty_text_is_not(model: StableDiffusion) -> None:
    """The differences of the pairs' unit end tokens, made here once more in numpy's way."""
    ends = {}
    for word in ("female", "male"):
        rows = [
            model.encode(Prompt(f"a photo of a {{attribute}} {job}").with_word(word)) for job in OCCUPATIONS
        ]
        ends[word] = torch.stack([one.tokens[one.end] / one.tokens[one.end].norm() for one in rows])
    apart = (ends["female"] - ends["male"]).double()
    moment = sum(torch.outer(row, row) for row in apart) / len(OCCUPATIONS)
    plain = model.encode("a photo of a nurse")
    made = Debiased("a photo of a nurse", WORDS, 500.0).embed(model.encode)
    # (I + 500 M) E' = E, without an inverse.
    back = made.tokens.double() @ (torch.eye(len(moment)).double() + 500 * moment)
    torch.testing.assert_close(back, plain.tokens.double(), rtol=1e-3, atol=1e-4)
    assert torch.equal(made.end, plain.end)


def test_the_matrix_is_made_once_per_encoder(model: StableDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    encode = model.encode

    def counting(text: str) -> Embedding:
        asked.append(text)
        return encode(text)

    monkeypatch.setattr(model, "encode", counting)
    request = replace(REQUEST, indices=(0,))
    for occupation in ("nurse", "doctor", "baker"):
        one = replace(request, prompt=Prompt(f"a photo of a {{attribute}} {occupation}"))
        run(model, DebiasVL(strength=7.0), request=one, steps=1)
    # The prompt, the empty one, and the text that the encoder is known by, after the first time.
    assert len(asked) <= 2 * len(OCCUPATIONS) + 2 + 2 * 3


def test_encoders_do_not_share_a_matrix() -> None:
    """Two mixtures in which a prompt means different laws."""
    text = "a photo of a nurse"
    one = mixture_model((GENDER, AGE), [[0.0]] * 4, [0.1, 0.2, 0.3, 0.4])
    other = mixture_model((GENDER, AGE), [[0.0]] * 4, [0.4, 0.1, 0.3, 0.2])
    first, second = (Debiased(text, WORDS, 1e9).embed(m.encode).tokens for m in (one, other))
    again = Debiased(text, WORDS, 1e9).embed(one.encode).tokens
    assert torch.equal(first, again)
    assert not torch.allclose(first, second, atol=1e-2)


def test_a_pooled_vector_has_a_matrix_of_its_own() -> None:
    """Words along different axes in the tokens and in the pooled vector."""

    def encode(text: str) -> Embedding:
        side = ("female" in text) - ("male" in text.split())
        tokens = torch.tensor([[0.0, 0.0], [float(side), 1.0]])
        return Embedding(tokens, pooled=torch.tensor([1.0, float(side), 2.0]), end=torch.tensor(1))

    made = Debiased("a female nurse", WORDS, 1e9).embed(encode)
    torch.testing.assert_close(made.tokens, torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    torch.testing.assert_close(made.pooled, torch.tensor([1.0, 0.0, 2.0]))


def test_a_text_without_an_end_is_refused() -> None:
    with pytest.raises(ModelError, match="end-of-text"):
        Debiased("a nurse", WORDS, 1.0).embed(lambda text: Embedding(torch.ones(3, 2)))
    with pytest.raises(ValueError, match="at least 0"):
        DebiasVL(strength=-1.0)
