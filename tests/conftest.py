"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from fairaudit.cli import main
from tests.tiny import save_tiny_pipeline

# A busy machine is slow, not wrong; and the same code passes or fails everywhere, and again.
# To look for what was not thought of: pytest --hypothesis-profile explore.
settings.register_profile("explore", deadline=None)
settings.register_profile("fairaudit", deadline=None, derandomize=True)
settings.load_profile("fairaudit")
# Tiny networks gain nothing from threads, and files of tests run side by side.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A StableDiffusionPipeline folder with random weights."""
    return save_tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of FairFace faces and published counts, where there is one."""
    folder = os.environ.get("FAIRAUDIT_TEST_DATA")
    if not folder:
        pytest.skip("FAIRAUDIT_TEST_DATA names no folder of FairFace faces")
    return Path(folder)


@pytest.fixture
def fairaudit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the command line in this process; returns the exit code."""

    def run(*arguments: object) -> int:
        monkeypatch.setattr("sys.argv", ["fairaudit", *map(str, arguments)])
        try:
            main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return run
