import json
import subprocess
import sys

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
    assert run(words) == 0
    rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert len(rows) == 2 and set(rows[0]) == {"text", "hypotheses"}


def test_a_bad_line_is_named_and_nothing_is_written(tiny_run, tmp_path, capsys):
    (tmp_path / "in").write_bytes(b"1 2\n\xff\n")
    words = ["predict", str(tiny_run), "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    assert run(words) == 3
    assert f"{tmp_path / 'in'}:2: byte 1 (0xff) is not UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
