"""Prompts: the slot, the article, and where prompts can come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairaudit.errors import UsageError
from fairaudit.prompt_sets import occupation_of, published
from fairaudit.prompts import PROMPT_SETS, Prompt, resolve_prompts


@pytest.mark.parametrize(
    ("template", "neutral", "elderly"),
    [
        ("a photo of a {attribute} engineer", "a photo of an engineer", "a photo of an elderly engineer"),
        ("a photo of an {attribute} nurse", "a photo of a nurse", "a photo of an elderly nurse"),
        ("the {attribute} nurse", "the nurse", "the elderly nurse"),
        ("{attribute} nurse, portrait", "nurse, portrait", "elderly nurse, portrait"),
        ("a nurse at work", "a nurse at work", "a nurse at work, elderly"),
        ("a {attribute} university student", "a university student", "an elderly university student"),
        ("A {attribute} engineer", "An engineer", "An elderly engineer"),
        ("A face of a {attribute!} engineer", "A face of a engineer", "A face of an elderly engineer"),
        ("{attribute!} nurse", "nurse", "elderly nurse"),
    ],
)
def test_the_word_goes_into_the_slot(template: str, neutral: str, elderly: str) -> None:
    assert Prompt(template).text == neutral
    assert Prompt(template).with_word("elderly") == elderly


def test_sets_hold_distinct_prompts_with_a_slot() -> None:
    for templates in PROMPT_SETS.values():
        texts = [Prompt(template).text for template in templates]
        assert len(set(texts)) == len(texts)
        assert all("{" not in text for text in texts)
        assert all("{attribute}" in template for template in templates)


def test_prompts_come_from_sets_files_and_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a photo of a {attribute} judge\n\n a photo of a cat \n")
    (tmp_path / "jobs.yaml").write_text(
        "template: portrait of a {attribute} {occupation}\noccupations: [judge]\n"
    )
    (tmp_path / "plain.yml").write_text("- one prompt\n- another prompt\n")
    assert resolve_prompts([str(tmp_path / "list.txt")]) == (
        "a photo of a {attribute} judge",
        "a photo of a cat",
    )
    assert resolve_prompts([str(tmp_path / "jobs.yaml")]) == ("portrait of a {attribute} judge",)
    assert len(resolve_prompts(["demo", str(tmp_path / "plain.yml"), "a typed prompt", "demo"])) == 4 + 2 + 1


def test_unknown_sets_and_bad_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "number.yaml").write_text("42")
    with pytest.raises(UsageError, match="did you mean 'occupations'"):
        resolve_prompts(["ocupations"])
    for name in ("empty.txt", "bad.yaml", "number.yaml", "absent.txt"):
        with pytest.raises(UsageError, match=name):
            resolve_prompts([str(tmp_path / name)])


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("winobias", 36 * 5, "Image of attendant", "Portrait of doctor"),
        ("winobias-extended", 36 * 5, "Image of a successful attendant", "Portrait of a successful doctor"),
        ("fair-diffusion", 153, "A photo of the face of a accountant", "A photo of the face of a writer"),
        ("labour", 60, "a photo of a technician", "a photo of a secretary"),
    ],
)
def test_published_sets_ask_what_was_asked(name: str, count: int, first: str, last: str) -> None:
    templates = resolve_prompts([name])
    texts = [Prompt(template).text for template in templates]
    assert (len(set(texts)), texts[0], texts[-1]) == (count, first, last)
    assert all(Prompt(template).parts for template in templates)
    assert "elderly" in Prompt(templates[0]).with_word("elderly")
    assert published(name).source
    assert published(name).licence


def test_occupations_and_shares_are_those_that_were_published(test_data: Path) -> None:
    golden = test_data / "golden"
    rows = [line.split("\t") for line in (golden / "occupations-bls.tsv").read_text().splitlines()[1:]]
    assert published("labour").women == {row[0]: float(row[2]) for row in rows}
    counts = (golden / "fair-diffusion-results_fairface_generated_1-5.txt").read_text().splitlines()
    asked = [occupation_of(Prompt(template).text) for template in resolve_prompts(["fair-diffusion"])]
    assert asked == [line for line in counts if line and not line.startswith("man:")]


@pytest.mark.parametrize(
    ("prompt", "occupation"),
    [
        ("Photo of nurse", "nurse"),
        ("Headshot of a successful CEO", "ceo"),
        ("A photo of the face of a medical records specialist", "medical records specialist"),
        ("a photo of an engineer, at the office", "engineer"),
        ("nurse", "nurse"),
        ("", ""),
    ],
)
def test_a_prompt_says_its_occupation_last(prompt: str, occupation: str) -> None:
    assert occupation_of(prompt) == occupation
