"""Visual question answering with closed answers: ViLT and BLIP asked by hand say the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from fairaudit.classifiers.vqa import QUESTIONS, load
from PIL import Image
from transformers import (
    BertTokenizerFast,
    BlipConfig,
    BlipForQuestionAnswering,
    BlipImageProcessor,
    BlipProcessor,
    ViltConfig,
    ViltForQuestionAnswering,
    ViltImageProcessor,
    ViltProcessor,
    ViTConfig,
    ViTForImageClassification,
)

from fairaudit.attributes import ATTRIBUTES
from fairaudit.errors import ModelError, UsageError
from tests.classifiers.networks import assert_alone_as_together, pictures, request

WORDS = ["is", "this", "person", "a", "man", "or", "woman", "yes", "no", "hat", "the", "wear", "red", "?"]
ANSWERS = ["yes", "no", "woman", "man", "female", "male", "red"]
HAT = """
abstain_above: 1
attributes:
  hat: {question: "wear the person a hat?", answers: {no: ["no"], yes: ["yes"]}}
"""


def tokenizer(folder: Path) -> BertTokenizerFast:
    """Whole words only."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    return BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=20)


@pytest.fixture(scope="module")
def vilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vilt")
    torch.manual_seed(0)
    config = ViltConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=32, patch_size=8, max_position_embeddings=20, initializer_range=0.5,
        id2label=dict(enumerate(ANSWERS)), label2id={answer: i for i, answer in enumerate(ANSWERS)},
    )  # fmt: skip
    ViltForQuestionAnswering(config).save_pretrained(folder)
    processor = ViltImageProcessor(size={"shortest_edge": 32}, size_divisor=8)
    ViltProcessor(processor, tokenizer(folder)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("blip")
    torch.manual_seed(0)
    config = BlipConfig(
        text_config={
            "vocab_size": 20, "hidden_size": 16, "encoder_hidden_size": 16, "intermediate_size": 16,
            "projection_dim": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "bos_token_id": 5,
            "pad_token_id": 0, "sep_token_id": 3, "eos_token_id": 3, "max_position_embeddings": 20,
            "initializer_range": 0.4,
        },
        vision_config={
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 32, "patch_size": 8, "initializer_range": 0.4,
        },
    )  # fmt: skip
    BlipForQuestionAnswering(config).save_pretrained(folder)
    image_processor = BlipImageProcessor(size={"height": 32, "width": 32})
    BlipProcessor(image_processor, tokenizer(folder)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def hat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hat") / "hat.yaml"
    path.write_text(HAT)
    return path


def test_vilt_says_what_transformers_says(vilt: Path, hat: Path) -> None:
    classifier = load(request(argument=str(vilt), outputs=hat))
    assert dict(classifier.values) == {"gender": ("female", "male"), "hat": ("no", "yes")}
    processor = ViltProcessor.from_pretrained(vilt)
    model = ViltForQuestionAnswering.from_pretrained(vilt).eval()
    images = pictures(3, 32)
    read = classifier.read(images).probabilities
    for image, gender, wears in zip(images, read["gender"], read["hat"], strict=True):
        with torch.no_grad():
            asked = [
                model(**processor(Image.fromarray(image), text, return_tensors="pt")).logits.softmax(1)[0]
                for text in (QUESTIONS["gender"].question, "wear the person a hat?")
            ]
        female, male = asked[0][2] + asked[0][4], asked[0][3] + asked[0][5]
        np.testing.assert_allclose(gender, [female / (female + male), male / (female + male)], atol=1e-5)
        np.testing.assert_allclose(wears, asked[1][[1, 0]] / asked[1][[0, 1]].sum(), atol=1e-5)
    assert read["gender"].std(0).min() > 1e-4


def test_blip_has_the_likelihood_of_every_answer(blip: Path, hat: Path) -> None:
    classifier = load(request(argument=str(blip), outputs=hat))
    assert {*classifier.values} == {*QUESTIONS, "hat"}
    processor = BlipProcessor.from_pretrained(blip)
    model = BlipForQuestionAnswering.from_pretrained(blip).eval()
    images = pictures(2, 32)
    for image, read in zip(images, classifier.read(images).probabilities["hat"], strict=True):
        inputs = processor(images=Image.fromarray(image), text="wear the person a hat?", return_tensors="pt")
        masses = []
        for answer in ("no", "yes"):
            start = torch.full((1, 1), model.decoder_start_token_id)
            tokens = processor.tokenizer(answer, add_special_tokens=False, return_tensors="pt").input_ids
            labels = torch.cat([start, tokens, torch.tensor([[3]])], 1)
            with torch.no_grad():
                loss = model(**inputs, labels=labels).loss
            label_smoothed = model.text_decoder.label_smoothing
            assert label_smoothed == 0, "the loss is no likelihood"
            masses.append(float(torch.exp(-loss * (labels.shape[1] - 1))))
        np.testing.assert_allclose(read, np.array(masses) / sum(masses), rtol=1e-4)


def test_answers_do_not_depend_on_neighbours(vilt: Path, blip: Path, hat: Path) -> None:
    for folder in (vilt, blip):
        assert_alone_as_together(load(request(argument=str(folder), outputs=hat)), pictures(4, 32), (0, 3))


def test_other_answers_are_no_label(blip: Path, tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text(HAT.replace("abstain_above: 1", "abstain_above: 0"))
    read = load(request(argument=str(blip), outputs=tmp_path / "o.yaml")).read(pictures(2, 32))
    assert np.isnan(read.probabilities["hat"]).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("attributes: {hat: {question: x, answers: {no: [nope], yes: [yes]}}}", "has no answer 'nope'"),
        ("attributes: {hat: {question: x, answers: {no: [a], yes: [a]}}}", "'a' answers for two values"),
        ("attributes: {hat: {question: x, answers: {yes: [a]}}}", "at least two values"),
        ("attributes: {hat: {answers: {no: [no], yes: [yes]}}}", "attributes.hat.question"),
    ],
)
def test_wrong_questions_are_one_sentence(text: str, words: str, vilt: Path, tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text(text)
    with pytest.raises(UsageError) as refused:
        load(request(argument=str(vilt), outputs=tmp_path / "o.yaml"))
    assert words in str(refused.value)


def test_other_models_are_refused(tmp_path: Path) -> None:
    config = ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    ViTForImageClassification(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is a vit; questions are put to ViLT and BLIP only"):
        load(request(argument=str(tmp_path)))


def test_questions_are_about_the_built_in_values() -> None:
    for name, question in QUESTIONS.items():
        assert sorted(question.answers) == sorted(ATTRIBUTES[name].values)
        assert tuple(question.answers) == ATTRIBUTES[name].values
