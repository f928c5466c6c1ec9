"""The glossary and the caveats: of what a report uses, all of it and nothing else."""

from __future__ import annotations

import re

import pytest
from fairaudit.reports import html
from fairaudit.reports.glossary import glossary
from fairaudit.reports.measured_terms import MEASURES
from fairaudit.reports.story import tell

from fairaudit.effects import Collateral, Diversity, Downstream, Downstreams, Flips
from fairaudit.metrics.titles import METRICS
from fairaudit.named_numbers import named_numbers
from fairaudit.results import Agreement, Consensus, Estimate, Human, HumanShare, Results, ValueQuality
from tests.reports.rich import INDICES
from tests.reports.sample import sample_report
from tests.reports.test_html import FOLDER, Page, flat


def terms(**options) -> set[str]:
    return {term.name for term in tell(sample_report(**options)).glossary}


def test_terms_are_those_that_the_report_uses():
    always = {"perceived attribute", "share", "target", "interval", "verdict", "outcome"}
    compared = terms(rich=True)
    assert always | {"same noise", "corrected share", "raw share", "FD within prompts"} <= compared
    assert {"bias amplification", "planted share", "gender labels", "calibration"} <= compared
    folder = terms(**FOLDER, attributes=("race",), calibrated=False)
    assert always | {"raw share", "race categories"} <= folder
    absent = {"same noise", "sampler", "baseline", "corrected share", "FD within prompts", "gender labels"}
    assert not folder & (absent | {"planted share", "calibration"})


def everything() -> Results:
    """Results of all kinds of measures that there are."""
    results = sample_report(rich=True).results
    one = Estimate(value=0.5, low=0.4, high=0.6, method="")
    agreed = Agreement(
        raters=["a", "b"],
        images=9,
        percent=one,
        kappa=one,
        alpha=one,
        consensus=Consensus(shares={}, changed=0),
    )
    share = HumanShare(**one.model_dump(), alone=one, narrower=0.1)
    human = Human(annotators=["x"], draw="random", images=9, known=9, shares={"female": share}, machine=one)
    flips = Flips(all_images=one, where_changed=one, where_kept=one, difference=one)
    learnt = {"features": "", "sensitive": "race", "train": 9, "test": 9, "accuracy": one}
    learnt |= {"demographic_parity": one, "equalised_odds": one}
    utility = {f"gender.{key}" if key == "unchanged" else key: one for key in METRICS}
    changes = {
        "quality": {**utility, "frechet:network": one},
        "agreement": {"gender": agreed},
        "human": {"gender": human},
        "collateral": Collateral(debiased=["gender"], changed=1, kept=1, flips={"age": flips}),
        "diversity": {"gender": {"female": Diversity(**one.model_dump(), n=9)}},
        "quality_by_value": {
            "gender": {"fid": ValueQuality(values={}, images={}, gap=one, between=("female", "male"))}
        },
    }
    attributes = {
        name: found.model_copy(update={"directional_amplification": one})
        for name, found in results.samplers["switching"].attributes.items()
    }
    cost = results.samplers["switching"].cost.model_copy(update={"peak_memory": one})
    rich = results.samplers["switching"].model_copy(update=changes | {"attributes": attributes, "cost": cost})
    down = Downstreams(samplers={"switching": Downstream(**learnt)}, real=Downstream(**learnt), truth=one)
    return results.model_copy(
        update={"samplers": {**results.samplers, "switching": rich}, "downstream": {"gender": down}}
    )


def test_every_number_that_can_be_shown_is_in_the_glossary():
    names = set(METRICS) - {"fd", "fd_prompts"}
    assert names | set(INDICES) <= set(MEASURES)
    report = sample_report(rich=True)
    results = everything()
    found = {term.name for term in glossary(report.plan, results)}
    assert {term.name for term in MEASURES.values()} <= found
    # A metric by any of its names in the results, and by those that rules give it.
    for key in named_numbers(results, "switching"):
        short = key.partition(":")[0].rpartition(".")[2].removeprefix("downstream_")
        assert short.partition("_where")[0] in MEASURES or ".gap." in key or short in {"fd", "fd_prompts"}, (
            key
        )
    plain = {term.name for term in glossary(report.plan, sample_report(**FOLDER).results)}
    assert not plain & {"kappa", "Vendi score", "demographic parity difference", "CMMD", "front"}


def test_meanings_are_whole_sentences_and_no_two_terms_share_a_name():
    names = [term.name for term in MEASURES.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Z].*\.", term.meaning) for term in MEASURES.values())


def test_values_of_ones_own_are_not_called_those_of_a_data_set():
    assert "gender labels" not in terms(values=("a", "b"))
    said = " ".join(tell(sample_report(values=("a", "b"))).caveats)
    assert "binary" not in said


@pytest.mark.parametrize("options", [{"rich": True}, FOLDER, {"missing": True}])
def test_terms_are_in_order_told_once_and_in_whole_sentences(options):
    found = tell(sample_report(**options)).glossary
    names = [term.name.lower() for term in found]
    assert names == sorted(set(names))
    assert all(re.fullmatch(r"[A-Z].*\.", term.meaning) for term in found)


def test_caveats_say_what_was_assumed():
    corrected = " ".join(tell(sample_report(attributes=("gender", "race", "age"))).caveats)
    for words in ("never who a person is", "binary", "7 categories", "how old a face looks", "assume"):
        assert words in corrected
    assert "and in which the classifier's errors were counted" in corrected
    raw = " ".join(tell(sample_report(calibrated=False, **FOLDER)).caveats)
    assert "Corrected shares" not in raw
    assert "errors were counted" not in raw
    assert "if somebody chose them" in raw


def test_the_page_shows_all_of_both():
    report = sample_report(rich=True)
    text = Page(html.render(report).decode()).text
    story = tell(report)
    assert all(flat(caveat) in text for caveat in story.caveats)
    assert all(term.name in text and flat(term.meaning) in text for term in story.glossary)
