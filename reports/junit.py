"""Every verdict as a test case of JUnit XML: fair passes, unfair fails, too little evidence is skipped."""

from __future__ import annotations

from fairaudit.gating import judge, prompt_verdicts
from fairaudit.junit import to_junit
from fairaudit.reporting import ReportInput


def render(report: ReportInput) -> bytes:
    """The verdicts as JUnit XML, in the suites `fairaudit` (all images) and `fairaudit.prompts`.

    Parameters
    ----------
    report
        What to show; what XML cannot write of its texts becomes ``?``.

    Returns
    -------
    bytes
        UTF-8 XML; equal reports give equal bytes.
    """
    suites = {"fairaudit": judge(report.results, [])}
    by_prompt = prompt_verdicts(report.results)
    return to_junit(suites | ({"fairaudit.prompts": by_prompt} if by_prompt else {}))
