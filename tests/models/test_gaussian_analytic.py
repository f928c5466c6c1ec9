"""`analytic:gmm`: its shares are what it says, and what comes out of the loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fairaudit.classifiers.gaussian import load as load_classifier
from fairaudit.samplers.baseline import Baseline

from fairaudit.asking import Room
from fairaudit.attributes import ATTRIBUTES
from fairaudit.diffusion import sample
from fairaudit.labelling import ClassifierRequest
from fairaudit.models import analytic
from fairaudit.needs import Need
from fairaudit.prompts import PROMPT_SETS, Prompt
from fairaudit.sampling import Request
from fairaudit.truths import planted

ASKED = {attribute.name: attribute for attribute in analytic.ASKED}


def test_shares_are_those_of_the_table() -> None:
    truth = analytic.truth()
    for name, (women, *_) in analytic.OCCUPATIONS.items():
        assert truth[name]["gender"]["female"] == pytest.approx(women)
    for occupation in truth.values():
        for name, attribute in ASKED.items():
            assert tuple(occupation[name]) == attribute.values
            assert sum(occupation[name].values()) == pytest.approx(1)
            assert min(occupation[name].values()) > 0.01  # every value can be asked for


def test_age_depends_on_gender() -> None:
    """By hand: 0.8 * 0.40 + 0.4 * 0.60 of the doctors have the younger of the two distributions."""
    young = 0.8 * 0.4 + 0.4 * 0.6
    expected = young * 0.35 + (1 - young) * 0.08
    assert analytic.truth()["doctor"]["age"]["20-29"] == pytest.approx(expected)


def test_every_prompt_of_the_sets_has_planted_shares() -> None:
    truth = analytic.truth()
    marginal = np.mean([women for women, *_ in analytic.OCCUPATIONS.values()])
    for templates in PROMPT_SETS.values():
        for template in templates:
            prompt = Prompt(template).text
            shares = planted(truth, prompt, "gender", ("female", "male"))
            assert shares is not None
            occupation = prompt.split()[-1]
            women = analytic.OCCUPATIONS.get(occupation, (marginal,))[0]
            assert shares["female"] == pytest.approx(women)
            weights = analytic.meanings().weights(prompt)
            assert float(weights[: len(weights) // 2].sum()) == pytest.approx(women)


def test_images_have_the_planted_shares() -> None:
    model = analytic.load(torch.device("cpu"), torch.float32)
    assert {Need.SPATIAL, Need.TEXT, Need.EMPTY, Need.CLEAN, Need.NOISY} <= model.offers
    prompt = Prompt("a photo of a {attribute} nurse")
    request = Request(prompt, tuple(range(400)), ATTRIBUTES["gender"], {"female": 0.5, "male": 0.5}, 1.0, 11)
    made = sample(model, [Baseline()], request, scheduler="model", steps=25, room=Room(400))["baseline"]
    assert made.latents.dtype == torch.float32
    pictures = model.decode(made.latents)
    assert pictures.shape == (400, 32, 32, 3)
    reading = load_classifier(ClassifierRequest(torch.device("cpu"))).read(list(pictures))
    truth = analytic.truth()["nurse"]
    for name, attribute in ASKED.items():
        labels = reading.probabilities[name].argmax(1)
        found = np.bincount(labels, minlength=len(attribute.values)) / 400
        planted_here = np.array(list(truth[name].values()))
        # Four standard errors, and the 1.4 % of ages that the best classifier confuses.
        tolerance = 4 * np.sqrt(planted_here * (1 - planted_here) / 400) + 0.01
        assert (abs(found - planted_here) < tolerance).all(), name


def test_the_digest_belongs_to_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(analytic.fingerprint())
    assert before == dict(analytic.fingerprint())
    monkeypatch.setattr(analytic, "SPREAD", 0.2)
    assert dict(analytic.fingerprint()) != before
    monkeypatch.undo()
    monkeypatch.setitem(analytic.OCCUPATIONS, "nurse", (0.87, 0.5, 0.5, 0.6))
    assert dict(analytic.fingerprint()) != before
