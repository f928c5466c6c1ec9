"""Every command of the documentation: those in ``console`` blocks are run, all others are parsed.

In the blocks of a page lines after ``$`` are run in order, in a folder of the page's own, where every
block with a ``title`` was written to the file of that name before. ``# exits N`` after a command announces
an exit code other than 0. Blocks of ``python`` are executed there, too. Blocks of ``bash`` name models or
data that tests do not have; a renamed option or sampler is found all the same.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import PAGES, ROOT, Block, blocks_of, inline_code
from tests.docs.commands import GROUP, check, expected_exit, options_of, run, words_of

RUN = [page for page in PAGES if any(block.language in ("console", "python") for block in blocks_of(page))]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_are_those_of_the_parser(page: Path) -> None:
    for block in blocks_of(page):
        lines = block.commands if block.language == "bash" else _in_workflow(block)
        for line in lines:
            try:
                check(line)
            except Exception as error:
                raise AssertionError(f"{block.where}: {line}: {error}") from error


def _in_workflow(block: Block) -> list[str]:
    """Commands that a YAML file hands to a shell."""
    if block.language != "yaml":
        return []
    lines = [line.strip().removeprefix("- ").removeprefix("run: ") for line in block.text.splitlines()]
    return [line for line in lines if line.startswith("fairaudit ")]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_prose_names_commands_and_options_that_there_are(page: Path) -> None:
    every = {option for name in GROUP.commands for option in options_of(name)} | {"--version"}
    others = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("benchmarks/*.py"))
    for code in inline_code(page):
        words = code.split()
        known = every
        if words[0] == "fairaudit" and len(words) > 1 and words[1].islower() and words[1].isalpha():
            assert words[1] in GROUP.commands, f"{_name(page)}: no command {words[1]!r} in {code!r}"
            known = options_of(words[1])
        elif words[0] in {"python", "pip", "git"}:
            continue
        options = [word.partition("=")[0].rstrip(",.;:)") for word in words if re.match("--[a-z]", word)]
        wrong = [option for option in options if option not in known and f'"{option}"' not in others]
        assert not wrong, f"{_name(page)}: {code!r} has options that there are not: {wrong}"


@pytest.mark.parametrize("page", RUN, ids=_name)
def test_commands_run_as_they_stand(page: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path / "cache"))
    blocks = blocks_of(page)
    for path, text in [(tmp_path / block.file, block.text) for block in blocks if block.file]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for block in blocks:
        if block.language == "python" and not block.file:
            monkeypatch.chdir(tmp_path)
            exec(compile(block.text, block.where, "exec"), {})
        for line in block.commands if block.language == "console" else ():
            assert words_of(line), f"{block.where}: no command"
            code = run(line, tmp_path, monkeypatch)
            assert code == expected_exit(line), f"{block.where}: {line} ended with {code}"
