import gzip
import json
import subprocess
import sys

import pytest

from kt2t.cli.main import run


def test_lines_to_lines_through_a_pipe(tiny_run):
    command = [sys.executable, "-m", "kt2t", "predict", str(tiny_run), "report.decode={type: Greedy}"]
    done = subprocess.run(command, input=b"1 2\n3\n\n", capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert len(done.stdout.decode().split("\n")) == 4
    assert done.stderr.decode() == ""


def test_files_and_json(tiny_run, tmp_path, capsys):
    (tmp_path / "in").write_text("1 2\n3 4\n")
    words = ["predict", str(tiny_run), "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--json"]
    (tmp_path / "out").write_text("longer than what comes. " * 1000)
    assert run(words) == 0
    rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert len(rows) == 2 and set(rows[0]) == {"text", "hypotheses"}


def test_a_compressed_file_and_compressed_stdin(tiny_run, tmp_path, capfd, monkeypatch):
    (tmp_path / "in").write_bytes(b"1 2\n3 4\n")
    (tmp_path / "in.gz").write_bytes(gzip.compress(b"1 2\n3 4\n", mtime=0))
    for name in ("in", "in.gz"):
        assert run(["predict", str(tiny_run), "--input", str(tmp_path / name)]) == 0
    answers = capfd.readouterr().out.split("\n")
    assert len(answers) == 5 and answers[:2] == answers[2:4]
    (tmp_path / "cut.gz").write_bytes((tmp_path / "in.gz").read_bytes()[:-9])
    (tmp_path / "none.gz").write_bytes(b"1 2\n")
    for name, told in (("cut.gz", "is a damaged gzip file"), ("none.gz", "is named .gz but is no gzip file")):
        assert run(["predict", str(tiny_run), "--input", str(tmp_path / name)]) == 3
        assert told in capfd.readouterr().err


def test_where_nothing_can_be_written_is_told_before_anything_is_decoded(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kt2t.run.predict.Predictor", lambda *_: pytest.fail("nothing is to be read"))
    (tmp_path / "in").write_text("1 2\n")
    (tmp_path / "file").write_text("x")
    for place in ("file/out", "nowhere/out", "."):
        words = ["predict", "run", "--input", str(tmp_path / "in"), "--output", str(tmp_path / place)]
        assert run(words) == 5
        assert "cannot be written" in capsys.readouterr().err


def test_a_run_that_cannot_be_read_leaves_the_old_answers_and_no_new_file(tmp_path, capsys):
    (tmp_path / "in").write_text("1 2\n")
    (tmp_path / "old").write_text("precious")
    for name in ("old", "new"):
        words = ["predict", str(tmp_path / "none"), "--input", str(tmp_path / "in"), "--output", str(tmp_path / name)]
        assert run(words) == 4
    assert (tmp_path / "old").read_text() == "precious" and not (tmp_path / "new").exists()


def test_a_bad_line_is_named_and_nothing_is_written(tiny_run, tmp_path, capsys):
    (tmp_path / "in").write_bytes(b"1 2\n\xff\n")
    words = ["predict", str(tiny_run), "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    assert run(words) == 3
    assert f"{tmp_path / 'in'}:2: byte 1 (0xff) is not UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
