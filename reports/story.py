"""Results to the story that all formats tell: the same sentences, numbers and figures."""

from __future__ import annotations

from fairaudit.reports import figures, method, pictures, prompts, quality, shares, tables, verdicts
from fairaudit.reports.advice import advice
from fairaudit.reports.by_value import by_value
from fairaudit.reports.caveats import caveats
from fairaudit.reports.changes import changes
from fairaudit.reports.checks import checks
from fairaudit.reports.effects import effects
from fairaudit.reports.facts import facts
from fairaudit.reports.formulas import formulas
from fairaudit.reports.generators import audited, ran_on
from fairaudit.reports.glossary import glossary
from fairaudit.reports.model import Section, Story
from fairaudit.reports.names import IMAGES
from fairaudit.reports.numbers import count, listing
from fairaudit.reports.obfuscation import obfuscation
from fairaudit.reports.overview import overview
from fairaudit.reports.people import people, readers
from fairaudit.reports.side_by_side import beside
from fairaudit.reports.stopping import notice, stopping
from fairaudit.reports.together import together
from fairaudit.reports.tradeoff import tradeoff_note, tradeoffs
from fairaudit.reports.training import training
from fairaudit.reports.unjudged import unjudged
from fairaudit.reports.unknowns import unknowns

from fairaudit.reporting import ReportInput
from fairaudit.results import Results

_SHORTENED = "# Paths are cut to their last part; plan.yaml in the run has them whole.\n"


def tell(report: ReportInput) -> Story:
    """Everything that a report says, in reading order."""
    return beside(_tell(report), report)


def _tell(report: ReportInput) -> Story:
    plan, results = report.plan, report.results
    attributes = tuple(dict.fromkeys(a for s in results.samplers.values() for a in s.attributes))
    listed, summary = method.skipped(results)
    return Story(
        title=f"Fairness audit of {audited(results)}",
        subtitle=_subtitle(report, attributes),
        leads=verdicts.leads(results, attributes),
        notices=tuple(filter(None, (ran_on(results), notice(results)))),
        advice=advice(plan, results),
        cards=verdicts.cards(plan, results, attributes),
        sections=tuple(_section(results, name, f"a{i}") for i, name in enumerate(attributes)),
        quality=quality.quality_table(results),
        stopping=stopping(results),
        findings=tuple(
            filter(
                None,
                (
                    by_value(results, attributes),
                    people(results, attributes),
                    readers(results, attributes),
                    training(results, attributes),
                    together(results),
                    obfuscation(results, attributes),
                    effects(results),
                    unjudged(results),
                ),
            )
        ),
        tradeoff_note=tradeoff_note(results, verdicts.cover(plan)),
        grid=pictures.grid(report.grid, tuple(results.samplers)),
        across=prompts.across(results, attributes),
        comparisons=quality.comparisons_table(results),
        changes=changes(results),
        checks=checks(results, attributes),
        method=method.method(plan, results),
        samplers_title="Source" if IMAGES in results.samplers else "Samplers",
        samplers=method.recipes(plan, results),
        prompts=plan.prompts,
        caveats=caveats(plan, results),
        glossary=glossary(plan, results),
        outcomes=method.outcomes_table(results),
        skipped=listed,
        skipped_summary=summary,
        manifest=method.manifest(report.manifest) if report.manifest else (),
        attributions=method.attributions(report),
        plan=(_SHORTENED if report.shortened else "") + plan.to_yaml(),
        plan_digest=results.plan_digest,
        command=report.command,
        digest=report.digest or results.digest,
        facts=facts(plan, results, attributes),
        overview=overview(plan, results, attributes),
        unknowns=unknowns(results, len(plan.prompts)),
        formulas=formulas(plan, results),
    )


def _subtitle(report: ReportInput, attributes: tuple[str, ...]) -> str:
    results, asked = report.results, len(report.plan.prompts)
    parts = [f"perceived {listing(attributes)}"]
    if len(results.samplers) > 1:
        noise = " on the same noise" if all(item.paired for item in results.comparisons) else ""
        parts.append(f"{count(len(results.samplers), 'sampler')}{noise}")
        parts.append(f"{count(results.n, 'image')} each")
    else:
        parts.append(count(results.n, "image"))
    if asked:
        parts.append(count(asked, "prompt"))
    return " · ".join(parts)


def _section(results: Results, attribute: str, key: str) -> Section:
    found = {n: s.attributes[attribute] for n, s in results.samplers.items() if attribute in s.attributes}
    end = figures.reach(list(found.values()))
    return Section(
        attribute=attribute,
        flags=shares.flags(results, attribute),
        panels=tuple(
            figures.share_panel(verdicts.headline(name, results), attribute, result, f"{key}p{i}", end)
            for i, (name, result) in enumerate(found.items())
        ),
        key=figures.legend(list(found.values()), f"{key}k"),
        discrepancy=tables.discrepancy_table(results, attribute),
        shares=shares.shares_table(results, attribute),
        tradeoff=tradeoffs(results, attribute, f"{key}t"),
        prompts=prompts.prompts_table(results, attribute),
    )
