"""Standard streams that are closed, or whose reader has gone: the status stays what it was, and nothing else is said."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kt2t.cli.main import run
from kt2t.cli.streams import Forgiving

KT2T = f"{sys.executable} -m kt2t"
COMMANDS = ["list layers", "--help", "list recipes --json", "train --help", "--version"]


def shell(line):
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("closed", ["| true", "| head -1", ">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_reader_that_goes_and_a_closed_stream_are_no_fault(command, closed):
    status, _, told = shell(f"{KT2T} {command} {closed}")
    assert (status, told) == (0, "")


def test_a_file_that_is_opened_does_not_take_the_place_of_a_closed_stdout(tmp_path):
    status, _, _ = shell(f"cd {tmp_path} && PYTHONPATH={os.getcwd()} {KT2T} train nothing >&-")
    assert status == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_a_full_disk_is_told_once():
    status, _, told = shell(f"{KT2T} list layers > /dev/full")
    assert status == 5 and len(told.splitlines()) == 1 and "No space left" in told


@pytest.mark.parametrize("words", [["list", "layers"], ["list", "recipes", "--json"], ["evaluate", "--help"]])
def test_the_same_within_a_process(words, monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert run(words) == 0


def test_work_goes_on_when_nobody_reads_what_it_tells():
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as inner:
        stream = Forgiving(inner)
        for _ in range(3):
            stream.write("step 1\n" * 10_000)
            stream.flush()
        assert stream.fileno() == write and not stream.isatty()
