"""Commands of the documentation: parsed as the command line parses them, or run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import typer

from fairaudit import registry
from fairaudit.cli import app
from tests.docs.blocks import ROOT

GROUP: Any = typer.main.get_command(app)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

_ENDS = {"|", "||", "&&", ";", ">", ">>", "2>"}
_EXITS = re.compile(r"# exits (\d+)\s*$")


def options_of(command: str) -> set[str]:
    every = [(*one.opts, *one.secondary_opts) for one in GROUP.commands[command].params]
    names = {name for some in every for name in some}
    return {name for name in names if name.startswith("-")} | {"--help"}


def expected_exit(line: str) -> int:
    """The exit code that a comment announces, else 0."""
    found = _EXITS.search(line)
    return int(found[1]) if found else 0


def words_of(line: str) -> list[str]:
    """The words of a command up to a pipe or the next command; variables stand for a number."""
    line = re.sub(r"\$\{?\w+\}?", "1", line)
    words = shlex.split(line, comments=True)
    return words[: next((i for i, word in enumerate(words) if word in _ENDS), len(words))]


def check(line: str) -> None:
    """Raise where a command is none that this checkout has."""
    words = words_of(line)
    if "fairaudit" in words:
        _check_fairaudit(words[words.index("fairaudit") + 1 :])
    elif words[:1] == ["make"]:
        for target in words[1:]:
            assert "=" in target or re.search(rf"^{target}:", MAKEFILE, re.M), f"no target {target}"
    elif words[:2] == ["pip", "install"]:
        for extra in re.findall(r"fairaudit\[(\w+)\]", line):
            assert extra in PROJECT["optional-dependencies"], f"no extra {extra}"
    elif words[:1] == ["python"] and words[1].endswith(".py"):
        source = (ROOT / words[1]).read_text(encoding="utf-8")
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert f'"{option}"' in source, f"{words[1]} has no {option}"


def _check_fairaudit(arguments: list[str]) -> None:
    name, *rest = arguments
    if name.startswith("--"):
        GROUP.make_context("fairaudit", [name, *rest], resilient_parsing=True)
        return
    assert name in GROUP.commands, f"no command {name}"
    context = GROUP.commands[name].make_context(name, list(rest))
    _check_names(context.params)


def _check_names(given: dict[str, Any]) -> None:
    """Samplers, and their parameters, exist."""
    asked = given.get("samplers") or given.get("sampler") or ""
    entries = [entry.strip() for entry in asked.split(",") if entry.strip() not in ("", "all")]
    labels = dict(entry.split("=", 1) if "=" in entry else (entry, entry) for entry in entries)
    for name in labels.values():
        registry.load("samplers", name)
    for setting in given.get("set_") or ():
        label, parameter = setting.partition("=")[0].split(".", 1)
        name = labels.get(label, label)
        fields = registry.load("samplers", name).__dataclass_fields__
        assert parameter in fields, f"{name} has no parameter {parameter}"


def run(line: str, folder: Path, monkeypatch: Any) -> int:
    """Run a command in a folder; its exit code."""
    words = words_of(line)
    monkeypatch.chdir(folder)
    if words[0] == "fairaudit":
        return _run_fairaudit(words[1:], monkeypatch)
    if words[:2] == ["pip", "install"]:
        return _install(words[2], folder, monkeypatch)
    assert words[0] == "python", f"tests cannot run {words[0]}"
    return subprocess.run([sys.executable, *words[1:]], cwd=folder, check=False).returncode


def _run_fairaudit(arguments: list[str], monkeypatch: Any) -> int:
    from fairaudit.cli import main

    monkeypatch.setattr("sys.argv", ["fairaudit", *arguments])
    # --offline speaks to libraries through the environment; the next command starts from a clean one.
    before = dict(os.environ)
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
    return 0


def _install(what: str, folder: Path, monkeypatch: Any) -> int:
    """What `pip install FOLDER` does, beside the environment instead of in it, and without an index."""
    site = folder / "site-packages"
    command = ["-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    finished = subprocess.run(
        [sys.executable, *command, "--disable-pip-version-check", "--target", str(site), what],
        cwd=folder,
        check=False,
    )
    monkeypatch.syspath_prepend(str(site))
    return finished.returncode
