"""What a report may say of the machine that made it: of absolute paths no more than their last part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePath, PureWindowsPath
from typing import Any

from fairaudit.plan import AuditPlan, SamplerPlan
from fairaudit.prompts import Prompt
from fairaudit.reporting import ReportInput
from fairaudit.results import Results
from fairaudit.versus import Versus

_PATH = re.compile(r"(?<![\w/.~-])(?:/(?![/\s])|[A-Za-z]:\\)[^\s'\"`()\[\]{},;<>+]+")
_FILE = re.compile(r"\bfile://")
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")


def disclosed(report: ReportInput) -> ReportInput:
    """The same report with names in the place of absolute paths; prompts stay as they are.

    Two paths that end alike get a number, so that what differed still differs. The digests stay those of
    the plan and the results as they are stored.
    """
    plan = report.plan.model_dump(by_alias=True, mode="json")
    results = report.results.model_dump(by_alias=True)
    prompts = {Prompt(template).text for template in report.plan.prompts} | {*report.plan.prompts}
    prompts |= {text for sampler in report.results.samplers.values() for text in sampler.prompts}
    prompts |= {text for own in report.plan.prompt_targets.values() for text in own}
    clean = _Cleaner(prompts, plan)
    named = _read(clean(plan))
    return replace(
        report,
        plan=named,
        results=Results.model_validate(clean(results)),
        manifest=clean(report.manifest),
        grid=[replace(row, name=clean(row.name)) for row in report.grid],
        command=clean(report.command),
        versus=report.versus and Versus.model_validate(clean(report.versus.model_dump(by_alias=True))),
        plan_text=clean(report.plan_text),
        digest=report.digest or report.results.digest,
        shortened=named != report.plan,
    )


def _read(content: dict[str, Any]) -> AuditPlan:
    """The plan of such a content; of two runs side by side samplers are called RUN/SAMPLER, as in no plan."""
    samplers = tuple(
        SamplerPlan.model_validate({**own, "label": None}).model_copy(update={"label": own["label"]})
        for own in content["samplers"]
    )
    return AuditPlan.model_validate({**content, "samplers": []}).model_copy(update={"samplers": samplers})


class _Cleaner:
    """Replaces paths in all texts of nested records, the same path by the same name everywhere."""

    def __init__(self, prompts: set[str], plan: Any) -> None:
        self.prompts = prompts
        self.names: dict[str, str] = {}
        # Paths with spaces in them can be told from the words around them only where they stand alone.
        whole = dict.fromkeys(text for text in _texts(plan) if text not in prompts and _absolute(text))
        self.whole = {text: self._name(text) for text in whole}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if value in self.prompts else self._text(value)
        if isinstance(value, dict):
            return {self(key): self(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self(item) for item in value]
        return value

    def _text(self, text: str) -> str:
        for path in sorted(self.whole, key=len, reverse=True):
            text = text.replace(path, self.whole[path])
        text = _LOGIN.sub("", _FILE.sub("", text))
        return _PATH.sub(lambda found: self._name(found[0]), text)

    def _name(self, path: str) -> str:
        if path not in self.names:
            kind = PureWindowsPath if "\\" in path else PurePath
            name = last = kind(path).name or "root"
            number = 1
            while name in self.names.values():
                number += 1
                name = f"{last} ({number})"
            self.names[path] = name
        return self.names[path]


def _absolute(text: str) -> bool:
    # A plan may join several places with a plus.
    return "+" not in text and _PATH.match(text) is not None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
