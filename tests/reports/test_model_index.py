"""The model card's metadata: what the Hugging Face Hub's own parser makes of them."""

from __future__ import annotations

import pytest
from fairaudit.reports import markdown
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index

from tests.reports.sample import HOSTILE, sample_report


def card(**options) -> ModelCard:
    return ModelCard(markdown.render(sample_report(**options)).decode())


def by_name(found: ModelCard) -> dict[tuple[str, str, str], EvalResult]:
    return {(one.dataset_config, one.metric_config, one.metric_type): one for one in found.data.eval_results}


def test_the_hub_reads_the_numbers_back():
    report = sample_report(attributes=("gender", "race"))
    read = by_name(card(attributes=("gender", "race")))
    for name, sampler in report.results.samplers.items():
        for attribute, result in sampler.attributes.items():
            fd, found = result.fd_prompts, read[name, attribute, "fairness_discrepancy"]
            assert (found.metric_value, found.metric_args["low"], found.metric_args["high"]) == (
                fd.value,
                fd.low,
                fd.high,
            )
            assert found.metric_args["verdict"] == result.verdict
            assert f"({fd.low:.3f} to {fd.high:.3f})" in found.metric_name
        assert read[name, "kid", "kid"].metric_value == sampler.quality["kid"].value


def test_the_hub_writes_the_same_index():
    found = card()
    data = found.data
    again = eval_results_to_model_index(data.model_name, data.eval_results)
    assert ModelCard(f"---\n{data.to_yaml()}\n---\n").data.eval_results == data.eval_results
    assert again[0]["name"] == "builtin:faces64"
    assert len(again[0]["results"]) == len({one.dataset_config for one in data.eval_results}) == 3


@pytest.mark.parametrize("name", ["a\n---\nb: *x", "!!python/object:os.system", "- {['", "\u2028---"])
def test_no_name_ends_the_block(name):
    report = sample_report(hostile=True, samplers=("baseline", name))
    found = ModelCard(markdown.render(report).decode())
    assert found.text.lstrip().startswith("# Fairness audit of")
    assert {one.dataset_config for one in found.data.eval_results} == {"baseline", " ".join(name.split())}
    assert found.data.model_name == f"folder {HOSTILE[1]}"


def test_what_has_no_value_stands_in_the_text_alone():
    found = card(missing=True)
    assert not found.data.eval_results
    assert "n/a" in found.text
