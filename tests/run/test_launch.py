"""Two workers on this machine: the numbers of one, and the same end whatever kills or stops them on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kt2t.errors import PeerError
from kt2t.recipe_file import load
from kt2t.run.launch import launch
from kt2t.run.train import train
from kt2t.training.checkpoints import saved, verify

OVERRIDES = (
    "train.steps=100",
    "train.batch.shapes=~",
    "optimizer.learning_rate=0.002",  # with the recipe's rate rounding grows tenfold every five steps
    "train.deterministic=true",
    "report.every=5",
    "report.keep=100",
    "report.score=false",
    "report.best=loss",
    "report.attention_maps=false",
    "model.dropout=0",  # each replica drops its own
)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture
def tiny(tiny_transformer):
    """Slow enough to be killed in the middle."""
    return tiny_transformer


def started(words, run):
    with open(f"{run}.said", "ab") as said:
        return subprocess.Popen([sys.executable, "-m", "kt2t", *map(str, words)], stdout=said, stderr=said)


def launched(tiny, run, *overrides):
    return started(["launch", tiny, "--workers", 2, *OVERRIDES, *overrides, "--run-dir", run], run)


def ended(process, run, status, seconds=300):
    assert process.wait(seconds) == status, Path(f"{run}.said").read_text()[-3000:]


def workers(process):
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def until_saved(process, run, count):
    while len(saved(run / "checkpoints")) < count:
        assert process.poll() is None, Path(f"{run}.said").read_text()[-3000:]
        time.sleep(0.01)


def written(run):
    found = {}
    for path in saved(run / "checkpoints"):
        manifest = verify(path)
        found[path.name] = {name: file["sha256"] for name, file in manifest.files.items()}, manifest.extra["metrics"]
    return found


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the workers in Linux's /proc")
def test_two_workers_are_as_one_and_come_back_after_a_kill_and_a_signal(tiny, tmp_path):
    whole, hurt, one = tmp_path / "whole", tmp_path / "hurt", tmp_path / "one"
    disturbed = launched(tiny, hurt)
    until_saved(disturbed, hurt, 2)
    os.kill(int(workers(disturbed)[-1]), signal.SIGKILL)  # whichever: all of them start again
    undisturbed = launched(tiny, whole)
    until_saved(disturbed, hurt, len(saved(hurt / "checkpoints")) + 2)
    os.kill(int(workers(disturbed)[0]), signal.SIGTERM)
    ended(disturbed, hurt, 143)
    assert "all start again from step-" in Path(f"{hurt}.said").read_text()
    ended(undisturbed, whole, 0)
    ended(launched(tiny, hurt), hurt, 0)
    train(load(str(tiny), [one for one in OVERRIDES if "deterministic" not in one]), one)

    assert {path.name for path in whole.iterdir()} == {path.name for path in one.iterdir()} | {"workers"}
    alone, together, again = written(one), written(whole), written(hurt)
    assert alone.keys() == together.keys() and len(alone) == 20
    for step in alone:
        assert together[step][1] == pytest.approx(alone[step][1], rel=1e-5)
    assert {step: again[step][0] for step in together} == {step: files for step, (files, _) in together.items()}


# What stands in for `python -m kt2t`: a program that is told the run folder and learns its worker's number.
def fake(tmp_path, code):
    file = tmp_path / "fake.py"
    file.write_text(
        "import json, os, signal, sys, time\nfrom pathlib import Path\n"
        "worker = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"
        "run = Path(sys.argv[1])\n" + code
    )
    return [sys.executable, str(file)]


COME = "came = run / f'came-{worker}'\ncame.write_text((came.read_text() if came.exists() else '') + '.')\n"


def counted(tmp_path, worker=0):
    return len((tmp_path / f"came-{worker}").read_text())


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("", 0),
        ("sys.exit(2 if worker else 7)", 2),  # the one that knows why, not the one that was left alone
        ("sys.exit(4)", 4),
        ("sys.exit(143)", 143),  # asked from outside
    ],
    ids=["all done", "a mistake and a lost peer", "the same mistake", "both stopped"],
)
def test_the_status_of_all_is_that_of_the_one_that_knows(tmp_path, code, status):
    assert launch([str(tmp_path)], 2, tmp_path, command=fake(tmp_path, COME + code)) == status
    assert counted(tmp_path, 0) == counted(tmp_path, 1) == 1


def test_each_worker_knows_all_addresses_and_its_own_place(tmp_path):
    code = "(run / f'config-{worker}').write_text(os.environ['TF_CONFIG'])"
    assert launch([str(tmp_path)], 3, tmp_path, command=fake(tmp_path, code)) == 0
    configs = [json.loads((tmp_path / f"config-{worker}").read_text()) for worker in range(3)]
    assert [config["task"] for config in configs] == [{"type": "worker", "index": worker} for worker in range(3)]
    (addresses,) = {tuple(config["cluster"]["worker"]) for config in configs}
    assert len(set(addresses)) == 3


@pytest.mark.parametrize("death", ["os.kill(os.getpid(), signal.SIGKILL)", "os.abort()", "sys.exit(7)"])
def test_a_worker_that_dies_brings_all_back(tmp_path, death, caplog):
    code = COME + f"first = worker == 0 and len(came.read_text()) == 1\nif first: {death}\n"
    assert launch([str(tmp_path)], 2, tmp_path, command=fake(tmp_path, code)) == 0
    assert counted(tmp_path, 0) == counted(tmp_path, 1) == 2 and "all start again from the beginning" in caplog.text


def test_workers_that_die_without_progress_are_given_up(tmp_path):
    with pytest.raises(PeerError, match="died 3 times without a new checkpoint"):
        launch([str(tmp_path)], 2, tmp_path, restarts=2, command=fake(tmp_path, COME + "sys.exit(7)"))
    assert counted(tmp_path, 0) == counted(tmp_path, 1) == 3


def test_a_new_checkpoint_counts_as_progress(tmp_path):
    code = COME + "count = len(came.read_text())\n"
    code += (
        "(run / 'checkpoints' / f'step-{count}').mkdir(parents=True, exist_ok=True)\nsys.exit(7 if count < 5 else 0)"
    )
    assert launch([str(tmp_path)], 2, tmp_path, restarts=1, command=fake(tmp_path, code)) == 0


def launching(tmp_path, code):
    """A process that launches two workers, each of which makes the file `ready-<its number>`; returns when both have."""
    program = (
        "import sys; from pathlib import Path; from kt2t.run.launch import launch\n"
        f"sys.exit(launch([{str(tmp_path)!r}], 2, Path({str(tmp_path)!r}), command={fake(tmp_path, code)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    while not all((tmp_path / f"ready-{worker}").exists() for worker in range(2)):
        assert process.poll() is None
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_launch_reaches_every_worker(tmp_path, number):
    code = COME + "\n".join(
        [
            "def stop(number, frame):",
            "    (run / f'stopped-{worker}').write_text(str(number)); sys.exit(128 + number)",
            "signal.signal(signal.SIGTERM, stop); signal.signal(signal.SIGINT, stop)",
            "(run / f'ready-{worker}').touch(); time.sleep(60)",
        ]
    )
    process = launching(tmp_path, code)
    process.send_signal(number)
    assert process.wait(120) == 128 + number
    assert {(tmp_path / f"stopped-{worker}").read_text() for worker in range(2)} == {str(int(number))}


def test_workers_stop_when_the_launcher_is_gone(tmp_path):
    code = COME + "\n".join(
        [
            "from kt2t.run.launch import end_with_launcher",
            "def stop(number, frame):",
            "    (run / f'stopped-{worker}').write_text(str(number)); sys.exit(128 + number)",
            "signal.signal(signal.SIGTERM, stop)",
            "end_with_launcher(0.05)",
            "(run / f'ready-{worker}').touch(); time.sleep(60)",
        ]
    )
    process = launching(tmp_path, code)
    assert not list(tmp_path.glob("stopped-*"))
    process.kill()
    process.wait()
    end = time.monotonic() + 120
    while [file.read_text() for file in tmp_path.glob("stopped-*")] != ["15", "15"]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_count_that_is_not_positive_is_refused(tmp_path):
    with pytest.raises(ValueError, match="workers: 0 is not positive"):
        launch([], 0, tmp_path)
