"""FairQueue: which tokens are emphasised, and what it is when its two ideas are switched off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fairaudit.samplers.baseline import Baseline
from fairaudit.samplers.fairqueue import Amplified, FairQueue
from fairaudit.samplers.prompt_intervention import PromptIntervention

from fairaudit.embedding import Embedding
from fairaudit.errors import ModelError
from fairaudit.models.diffusers import StableDiffusion
from fairaudit.needs import Need
from fairaudit.sampling import Step, balanced_assignment
from tests.test_diffusion import REQUEST, run


@pytest.fixture(scope="module")
def model(tiny_pipeline: Path) -> StableDiffusion:
    return StableDiffusion(str(tiny_pipeline), torch.device("cpu"))


def words(text: str) -> Embedding:
    """An encoder of eight positions: a start, one token a word, and ends of text."""
    ids = [0, *range(1, 1 + len(text.split()))][:7]
    tokens = torch.tensor(ids + [9] * (8 - len(ids))).float()[:, None]
    return Embedding(tokens, end=torch.tensor(len(ids)))


@pytest.mark.parametrize(
    ("prompt", "emphasis"),
    [
        ("a nurse", [1, 1, 1, 10, 10, 1, 1, 1]),
        # The text is cut after six words.
        ("a nurse in a ward", [1, 1, 1, 1, 1, 1, 10, 1]),
        ("a nurse in a ward there", [1] * 8),
    ],
)
def test_the_added_tokens_are_emphasised(prompt: str, emphasis: list[float]) -> None:
    made = Amplified(prompt, ", middle aged", 10.0).embed(words)
    assert made.emphasis is not None
    assert made.emphasis.tolist() == emphasis
    assert torch.equal(made.tokens, words(f"{prompt}, middle aged").tokens)


def test_the_added_tokens_of_a_real_tokenizer(model: StableDiffusion) -> None:
    """The tiny tokenizer has one token a letter: a comma and six letters behind 14 and the start."""
    made = Amplified("a photo of a nurse", ", female", 10.0).embed(model.encode)
    assert made.emphasis is not None
    assert made.emphasis.nonzero().numel() == len(made.tokens)
    assert (made.emphasis == 10).nonzero().flatten().tolist() == list(range(15, 22))


def test_queued_for_ever_it_is_the_baseline(model: StableDiffusion) -> None:
    made = run(model, Baseline(), FairQueue(queue=1.0))
    assert torch.equal(made["fairqueue"].latents, made["baseline"].latents)
    assert made["fairqueue"].evaluations == made["baseline"].evaluations


def test_without_queue_and_amplification_it_is_the_longer_prompt(model: StableDiffusion) -> None:
    """The neutral prompt has no slot for the value, so that the intervention adds it after a comma."""
    made = run(model, FairQueue(queue=0.0, amplification=1.0), FairQueue(queue=0.0, name="loud"))
    for row, value in enumerate(made["fairqueue"].assignment):
        text = f"a photo of a nurse, {value}"
        plain = run(model, _Fixed(text), request=replace(REQUEST, indices=(row,)))["fixed"].latents
        torch.testing.assert_close(made["fairqueue"].latents[row : row + 1], plain, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(made["loud"].latents, made["fairqueue"].latents, atol=1e-3)


class _Fixed(Baseline):
    """Classifier-free guidance towards a fixed text, from the neutral prompt's noise."""

    def __init__(self, text: str) -> None:
        super().__init__(name="fixed")
        object.__setattr__(self, "text", text)

    def conditions(self, step: Step) -> tuple[tuple[str, ...], ...]:
        return step.request.empty, (self.text,) * len(step.request.indices)  # type: ignore[attr-defined]


def test_the_first_fifth_of_the_steps_sees_the_prompt_as_written() -> None:
    def asked(index: int, count: int) -> object:
        return FairQueue().conditions(Step(index, count, 1.0, REQUEST, balanced_assignment(REQUEST)))[-1]

    for count, first in ((50, 10), (10, 2), (6, 2), (5, 1)):
        assert [asked(index, count) == REQUEST.neutral for index in range(count)] == [
            index < first for index in range(count)
        ]


def test_queues_share_their_start(model: StableDiffusion) -> None:
    samplers = [FairQueue(), FairQueue(queue=0.5, name="longer"), FairQueue(amplification=2.0, name="softer")]
    together = run(model, Baseline(), PromptIntervention(), *samplers)
    for sampler in samplers:
        alone = run(model, sampler)[sampler.name]
        torch.testing.assert_close(alone.latents, together[sampler.name].latents, rtol=1e-5, atol=1e-5)


def test_what_it_takes() -> None:
    assert FairQueue().needs == {Need.TEXT, Need.ATTENTION}
    with pytest.raises(ModelError, match="end-of-text"):
        Amplified("a nurse", ", male", 2.0).embed(lambda text: Embedding(torch.ones(3, 2)))
    with pytest.raises(ValueError, match="queue"):
        FairQueue(queue=1.2)
    with pytest.raises(ValueError, match="amplification"):
        FairQueue(amplification=-1.0)
