"""The command line: help without delay, and one sentence with the right exit code for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command

from fairaudit.cli import app
from fairaudit.results import Results

Fairaudit = Callable[..., int]
Refused = Callable[[list[str]], str]


@pytest.fixture
def refused(
    fairaudit: Fairaudit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Refused:
    """The one sentence that a command with bad input ends with; it must leave nothing."""
    monkeypatch.chdir(tmp_path)

    def sentence(arguments: list[str]) -> str:
        assert fairaudit(*arguments) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        assert not list(tmp_path.iterdir())
        return printed.err

    return sentence


def test_help_needs_no_heavy_import() -> None:
    probe = (
        "import sys; sys.argv = ['fairaudit', '--help']\n"
        "try:\n import fairaudit.cli; fairaudit.cli.main()\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numpy', 'pandas', 'diffusers', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "compare" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_can_be_told_to_stay_offline() -> None:
    for name, command in get_command(app).commands.items():
        assert "--offline" in {option for parameter in command.params for option in parameter.opts}, name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare", "builtin:faces"], ["builtin:faces64"]),
        (["compare", "nonsense"], ["nonsense", "is no model", "builtin:faces64"]),
        (["compare", "builtin:faces64", "--samplers", "baseline,swiching"], ["did you mean 'switching'"]),
        (["compare", "builtin:faces64", "--attribute", "gendre"], ["did you mean 'gender'"]),
        (["compare", "builtin:faces64", "--prompts", "ocupations"], ["did you mean 'occupations'"]),
        (["compare", "builtin:faces64", "--set", "switching.tau=2"], ["tau", "[0, 1]"]),
        (["compare", "builtin:faces64", "--set", "switching.tao=1"], ["tao", "parameters: tau"]),
        (["compare", "builtin:faces64", "--set", "switching.tau=["], ["tau", "number"]),
        (["compare", "builtin:faces64", "--set", "switching.name=.."], ["no parameter 'name'"]),
        (["compare", "builtin:faces64", "--target", "gendre=uniform"], ["gendre", "not among"]),
        (["compare", "builtin:faces64", "--target", "gender=female:nan,male:0.5"], ["sum to 1"]),
        (["compare", "builtin:../.."], ["unknown built-in model"]),
        (
            ["compare", "builtin:faces64", "--prompts", "a nurse x", "--prompts", "a {attribute} nurse x"],
            ["twice"],
        ),
        (["compare", "builtin:faces64", "--reference", "absent"], ["absent", "does not exist"]),
        (["compare", "builtin:faces64", "--scheduler", "eular"], ["--scheduler", "dpmsolver++", "'eular'"]),
        (["compare", "builtin:faces64", "--images", "0"], ["--images: should be", "not 0"]),
        (["compare", "builtin:faces64", "--tolerance", "3"], [": a tolerance of 3 calls"]),
        (["compare", "builtin:faces64", "--target", "gender=unifrom"], ["did you mean 'uniform'"]),
        (["compare", "builtin:faces64", "--prompts", "a {atribute} nurse"], ["{atribute}", "{attribute}"]),
        (["compare", "builtin:faces64", "--plan", "absent.yaml"], ["absent.yaml"]),
        (["audit", "builtin:faces64", "--device", "tpu"], ["tpu", "auto, cpu or cuda"]),
        (["audit"], ["--plan"]),
        (["audit", "absent.csv"], ["nothing of that name is here", "tables of labels"]),
        (["list", "sampler"], ["did you mean 'samplers'"]),
        (["fetch", "inceptoin"], ["did you mean 'inception'"]),
        (["report", "absent"], ["absent", "results.json"]),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    arguments: list[str], words: list[str], refused: Refused
) -> None:
    said = refused(arguments)
    assert all(word in said for word in words), said


def test_too_few_images_for_any_verdict_is_exit_code_4(
    fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--prompts", "a photo of a {attribute} nurse", "--images", 5, "--out", tmp_path / "run")
    assert fairaudit("audit", "builtin:faces64", *arguments) == 4
    assert "ask for more with --images" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_model_folder_without_its_parts_is_named(
    fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model" / "unet").mkdir(parents=True)
    parts = {"unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
    index = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.0", **parts}
    (tmp_path / "model" / "model_index.json").write_text(json.dumps(index))
    assert fairaudit("compare", tmp_path / "model", "--out", tmp_path / "run", "--quiet") == 2
    error = capsys.readouterr().err
    assert "vae missing" in error
    assert not (tmp_path / "run").exists()


def test_compare_does_not_take_a_folder_of_images(
    fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert fairaudit("compare", tmp_path, "--out", tmp_path / "run") == 2
    assert "fairaudit audit" in capsys.readouterr().err


def test_weights_that_are_pickles_are_refused(
    fairaudit: Fairaudit, tiny_pipeline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    model = shutil.copytree(tiny_pipeline, tmp_path / "model")
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    assert fairaudit("compare", model, "--out", tmp_path / "run", "--quiet") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_hub_model_without_a_network_says_what_to_fetch(
    fairaudit: Fairaudit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert fairaudit("compare", "nobody/no-such-model", "--out", tmp_path / "run", "--quiet") == 2
    error = capsys.readouterr().err
    assert "fairaudit fetch hf:nobody/no-such-model" in error
    assert not (tmp_path / "run").exists()
    assert error.count("\n") == 1


@pytest.mark.parametrize("kind", ["models", "samplers", "classifiers", "attributes", "prompts", "reports"])
def test_everything_that_can_be_named_is_listed(
    kind: str, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fairaudit("list", kind) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 1


def test_a_folder_is_audited_and_its_broken_files_are_named(
    fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures <b>&"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for number in range(90):
        noise = rng.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
        Image.fromarray(noise).save(pictures / f"{number:02}.png")
    Image.new("RGB", (64, 64), "red").save(pictures / "red.png")
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8 broken")
    (pictures / "notes.txt").write_text("not a picture")
    before = sorted(path.read_bytes() for path in pictures.iterdir())
    assert fairaudit("audit", pictures, "--out", tmp_path / "run", "--json", "--quiet") == 0
    results = Results.model_validate_json(capsys.readouterr().out)
    assert results.n == 91
    assert set(results.skipped) == {"broken.jpg", "notes.txt"}
    gender = results.samplers["images"].attributes["gender"]
    assert gender.outcomes == {"labelled": 90, "blocked": 1}
    share = gender.shares["female"]
    assert share.bounds is not None
    # The red picture could be either: bounds are one ninety-first apart.
    assert share.bounds[1] - share.bounds[0] == pytest.approx(1 / 91)
    assert results.samplers["images"].cost.reason
    assert sorted(path.read_bytes() for path in pictures.iterdir()) == before
    assert fairaudit("audit", pictures, "--out", tmp_path / "run", "--quiet") == 0
    assert "files skipped: 2" in capsys.readouterr().out


@pytest.mark.parametrize("files", [[], ["notes.txt"], [f"{number}.png" for number in range(9)]])
def test_a_folder_without_a_usable_picture_is_refused(
    files: list[str], fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("no picture")
    assert fairaudit("audit", folder, "--out", tmp_path / "run", "--quiet") == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_labels_of_real_faces_are_corrected_towards_the_truth(
    fairaudit: Fairaudit, test_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1,000 validation faces as files: the truth lies in the corrected interval."""
    import pandas as pd

    faces = test_data / "fairface224"
    truth = (pd.read_csv(faces / "labels.csv")["gender"] == "Female").mean()
    assert fairaudit("audit", faces, "--out", tmp_path / "run", "--json", "--quiet") == 0
    results = Results.model_validate_json(capsys.readouterr().out)
    assert results.n == 1000
    share = results.samplers["images"].attributes["gender"].shares["female"]
    assert share.low is not None
    assert share.high is not None
    assert share.low <= truth <= share.high
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["source"]["images"] == 1000


@pytest.mark.parametrize("under", ["/proc/nowhere/run", "file/run"])
@pytest.mark.parametrize(
    "command",
    [
        ("list", "samplers"),
        ("power", "--classifier", "none"),
        ("label", "PICTURES", "--quiet"),
        ("fetch", "yunet", "--quiet"),
        ("audit", "labels.csv", "--estimator", "raw", "--quiet"),
        ("tau", "analytic:gmm", "--quiet"),
        ("heads", "builtin:faces64", "--quiet"),
    ],
    ids=lambda command: command[0],
)
def test_a_place_that_cannot_be_written_is_one_sentence(
    command: tuple[str, ...],
    under: str,
    fairaudit: Fairaudit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("no folder")
    Path("PICTURES").mkdir()
    Image.new("RGB", (64, 64), "red").save("PICTURES/red.png")
    Path("labels.csv").write_text("image,gender\n" + "".join(f"{n}.png,female\n" for n in range(20)))
    files = {"list": "list.json", "power": "power.json", "label": "labels.csv", "heads": "heads.safetensors"}
    assert fairaudit(*command, "--out", Path(under, files.get(command[0], ""))) == 2
    error = capsys.readouterr().err
    assert under in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["compare", "analytic:gmm", "--samplers", ""], "--samplers"),
        (["compare", "analytic:gmm", "--samplers", " , "], "--samplers"),
        (["compare", "analytic:gmm", "--attribute="], "--attribute"),
        (["compare", "analytic:gmm", "--prompts", ""], "--prompts"),
        (["audit", "analytic:gmm", "--classifier", ""], "--classifier"),
        (["audit", "analytic:gmm", "-n", ""], "-n"),
        (["audit", ""], "an argument"),
        (["tau", "analytic:gmm", "--attribute", ","], "--attribute"),
        (["list", "samplers", "--out", ""], "--out"),
    ],
)
def test_what_is_left_empty_is_refused(arguments: list[str], name: str, refused: Refused) -> None:
    said = f"fairaudit: {name} is empty; say what it should be, or leave it out\n"
    assert refused(arguments) == said


def test_ctrl_c_outside_of_the_work_is_said(
    fairaudit: Fairaudit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fairaudit.planning.build_plan", interrupted)
    assert fairaudit("audit", "analytic:gmm") == 130
    error = capsys.readouterr().err
    assert "the same command continues" in error
    assert error.count("\n") == 1
