"""Judgements as JUnit XML, which CI systems show as tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from fairaudit.gating import Judgement, Outcome

_ELEMENTS: dict[Outcome, str] = {"failed": "failure", "not enough evidence": "skipped"}
"""What a test case that did not pass holds; missing evidence is neither a success nor a fault."""


def to_junit(suites: Mapping[str, Sequence[Judgement]]) -> bytes:
    """Suites of judgements as JUnit XML: a missed limit is a failure, missing evidence is skipped.

    Parameters
    ----------
    suites
        Name to judgements. Texts may hold anything; what XML has no way to write becomes ``?``.

    Returns
    -------
    bytes
        UTF-8 XML; equal judgements give equal bytes.
    """
    root = ElementTree.Element("testsuites", name="fairaudit")
    _count(root, [one for judgements in suites.values() for one in judgements])
    for name, judgements in suites.items():
        suite = ElementTree.SubElement(root, "testsuite", name=legal(name))
        _count(suite, judgements)
        for one in judgements:
            case = ElementTree.SubElement(suite, "testcase", classname=legal(name), name=legal(one.rule.text))
            if one.outcome != "passed":
                message = legal(f"{one.outcome}: {describe(one)}")
                ElementTree.SubElement(case, _ELEMENTS[one.outcome], message=message)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def describe(judgement: Judgement) -> str:
    """The number behind a judgement, and what is missing."""
    estimate = judgement.estimate
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return f"no number ({estimate.reason})"
    said = f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
    if judgement.images is not None:
        said += f"; about {judgement.images} images would tell"
    return said + (f"; {judgement.note}" if judgement.note else "")


def legal(text: str) -> str:
    r"""Text on one line, without characters that XML has no way to write.

    Examples
    --------
    >>> legal("a\nb\x00")
    'a b?'
    """
    spaced = (" " if character.isspace() else character for character in text)
    return "".join(character if character.isprintable() else "?" for character in spaced)


def _count(element: ElementTree.Element, judgements: Sequence[Judgement]) -> None:
    outcomes = [one.outcome for one in judgements]
    counts = {
        "tests": len(outcomes),
        "failures": outcomes.count("failed"),
        "errors": 0,
        "skipped": outcomes.count("not enough evidence"),
    }
    for name, count in counts.items():
        element.set(name, str(count))
