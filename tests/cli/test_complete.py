"""Completion as the shells ask for it, in a process of its own."""

import os
import subprocess
import sys

import pytest

CODE = "import sys; from kt2t.cli.main import main; main()"


def completed(*words, shell="bash", folder=None):
    """The words that a shell is offered for the last word of a command line, each with its type."""
    line = " ".join(["kt2t", *words])
    environment = {**os.environ, "_KT2T_COMPLETE": f"{shell}_complete", "COMP_WORDS": line}
    environment["COMP_CWORD"] = words[-1] if shell == "fish" else str(len(words))
    done = subprocess.run([sys.executable, "-c", COMPLETE], env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


COMPLETE = """
import sys
from kt2t.cli.main import run
try:
    run([])
except SystemExit:
    pass
sys.exit({"keras", "numpy"} & set(sys.modules) or 0)
"""


def test_recipes_and_files(tmp_path):
    (tmp_path / "quick.yaml").touch()
    assert completed("train", "qui", folder=tmp_path) == ["plain,quick.yaml", "plain,quickstart"]
    assert "plain,translation/own" in completed("explain", "translation/", folder=tmp_path)
    assert completed("train", "nothing", folder=tmp_path) == ["file,nothing"]


def test_commands_and_kinds():
    assert completed("eva") == ["plain,evaluate"]
    assert completed("list", "sc") == ["plain,schedules", "plain,scores"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("train", "quickstart", "train.ste"), ["train.steps=", "train.steps_per_call="]),
        (("prepare", "quickstart", "model.num_h"), ["model.num_heads="]),
        (("launch", "translation/own", "problem.vocabulary.si"), ["problem.vocabulary.size="]),
        (("explain", "translation/own", "optimizer.learning_rate.w"), ["optimizer.learning_rate.warmup="]),
        (("train", "quickstart", "model.feat"), []),
    ],
)
def test_keys_of_a_recipe(words, expected):
    assert completed(*words) == [f"nospace,{key}" for key in expected]
    assert completed(*words, shell="fish") == [f"plain,{key}" for key in expected]


def test_runs_checkpoints_and_their_keys(tiny_run):
    folder, name = tiny_run.parent, tiny_run.name
    assert f"plain,{tiny_run}" in completed("evaluate", str(tiny_run)[:-1])
    assert completed("predict", str(tiny_run), "--checkpoint", "") == [
        f"plain,{word}" for word in ("last", "best", "average", "12", "8", "4")
    ]
    assert completed("evaluate", name, "report.decode.be", folder=folder) == ["nospace,report.decode.beams="]
    assert completed("predict", name, "report.decode.bea", folder=folder) == ["nospace,report.decode.beams="]
    assert completed("predict", name, "lines", folder=folder) == ["file,lines"]
    assert completed("train", name, "train.seed", folder=folder) == ["nospace,train.seed="]


def test_bash_gets_a_script_that_it_can_read():
    environment = {**os.environ, "_KT2T_COMPLETE": "bash_source"}
    script = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True).stdout
    assert "nospace" in script and "compopt -o nospace" in script
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
