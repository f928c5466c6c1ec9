"""The CSV: every number of results.json, as precise, and no formula."""

from __future__ import annotations

import csv
import io
import json

import pandas as pd
import pytest
from fairaudit.reports import spreadsheet

from tests.reports.sample import HOSTILE, REASON, sample_report


def table(**options) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(spreadsheet.render(sample_report(**options))), keep_default_na=False)


def numbers_of(part) -> list[float]:
    """All numbers of a part of results.json, whatever they are called."""
    if isinstance(part, dict):
        return [
            n for key, one in part.items() if key not in {"parameters", "schema"} for n in numbers_of(one)
        ]
    if isinstance(part, list):
        return [n for one in part for n in numbers_of(one)]
    return [float(part)] if isinstance(part, int | float) and not isinstance(part, bool) else []


def test_every_number_of_the_results_is_there_at_full_precision():
    report = sample_report(attributes=("gender", "race"), rich=True)
    found = table(attributes=("gender", "race"), rich=True)
    written = set(pd.to_numeric(found[["value", "low", "high", "n"]].stack()).dropna())
    stored = json.loads(report.results.to_json())
    assert set(numbers_of(stored)) <= written


@pytest.mark.parametrize("sampler", ["baseline", "switching"])
def test_a_number_is_found_by_its_names(sampler):
    report, found = sample_report(), table()
    at = found.set_index(["sampler", "prompt", "attribute", "metric"]).sort_index()
    own = report.results.samplers[sampler]
    share = own.attributes["gender"].shares["female"]
    row = at.loc[(sampler, "", "gender", "shares.female")]
    assert [float(row[c]) for c in ("value", "low", "high")] == [share.value, share.low, share.high]
    assert (int(row["n"]), row["method"]) == (own.attributes["gender"].n, share.method)
    prompt = next(iter(own.prompts))
    fd = own.prompts[prompt].attributes["gender"].fd
    assert float(at.loc[(sampler, prompt, "gender", "fd.null95"), "value"]) == fd.null95
    assert not at.index.has_duplicates


def test_what_could_not_be_computed_is_empty_and_says_why():
    found = table(missing=True)
    shares = found[found["metric"].str.fullmatch("shares.female")]
    assert len(shares)
    assert (shares["value"] == "").all()
    assert (shares["reason"] == REASON).all()
    assert (found.loc[found["value"] == "", "reason"] != "").all()


def test_nothing_a_user_wrote_is_a_formula():
    report = sample_report(prompts=6, samplers=("baseline", "=1+1"))
    prompts = report.results.samplers["=1+1"].prompts
    prompts['@SUM(A1)\r\n"x"'] = next(iter(prompts.values()))
    text = spreadsheet.render(report).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    for row in rows:
        for column in ("sampler", "prompt", "attribute", "metric", "method", "reason"):
            assert not row[column].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert '\'@SUM(A1)\r\n"x"' in {row["prompt"] for row in rows}


def test_the_form_is_that_of_rfc_4180():
    text = spreadsheet.render(sample_report(hostile=True)).decode()
    assert text.endswith("\r\n")
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert {len(row) for row in rows} == {len(spreadsheet.COLUMNS)}
    assert set(HOSTILE) <= {row[1] for row in rows}
