import subprocess
import sys

import pytest
from costs import child_seconds

from kt2t import __version__
from kt2t.cli.main import COMMANDS, run
from kt2t.errors import DataError


def test_help_lists_every_command_and_is_quick():
    said = []
    command = [sys.executable, "-m", "kt2t", "--help"]
    cost = child_seconds(lambda: said.append(subprocess.run(command, capture_output=True, text=True)))
    assert said[0].returncode == 0 and all(name in said[0].stdout for name in COMMANDS)
    assert cost < 1  # 0.3 s on a quiet machine


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name, capsys):
    assert run([name, "--help"]) == 0
    assert "Usage:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian", "quickstart"], "no command 'trian'. Did you mean 'train'"),
        (["train"], "Missing argument 'RECIPE'"),
        (["train", "quickstart", "--run-dirr", "x"], "--run-dirr"),
        (["train", "quikstart"], "Did you mean"),
        (["train", "quickstart", "--steps", "5"], "train.steps=5."),
        (["train", "quickstart", "--samples=5"], "report.samples=5."),
        (["train", "--hparams_set=transformer_base"], "kt2t list recipes"),
        (["list", "things"], "things"),
    ],
)
def test_usage_is_one_line_and_status_2(words, message, capsys):
    assert run(words) == 2
    told = capsys.readouterr().err
    assert message in told and len(told.strip().splitlines()) == 1 and "Traceback" not in told


def test_an_error_carries_its_own_status_and_debug_shows_the_traceback(monkeypatch, capsys):
    import kt2t.cli.list as command_list

    def broken(*_):
        raise DataError("train.en is empty.", file="train.en")

    monkeypatch.setattr(command_list, "listed", broken)
    monkeypatch.delenv("KT2T_DEBUG", raising=False)
    assert run(["list", "recipes"]) == 3
    assert capsys.readouterr().err == "kt2t: train.en: train.en is empty.\n"
    assert run(["list", "recipes", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.delenv("KT2T_DEBUG", raising=False)


OTHERS = [(KeyboardInterrupt(), 130), (MemoryError(), 5), (OSError(28, "No space"), 5), (ZeroDivisionError(), 70)]


@pytest.mark.parametrize(("error", "status"), OTHERS)
def test_what_is_no_error_of_ours_has_a_status_too(monkeypatch, capsys, error, status):
    import kt2t.cli.list as command_list

    def broken(*_):
        raise error

    monkeypatch.setattr(command_list, "listed", broken)
    assert run(["list", "recipes"]) == status
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize("words", [["version"], ["-V"], ["--version"]])
def test_the_version(words, capsys):
    assert run(words) == 0
    assert __version__ in capsys.readouterr().out
