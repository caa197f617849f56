import gzip
import json
import os
import pty
import re
import subprocess
import sys

import pytest

from kt2t.cli.main import run


def test_lines_to_lines_through_a_pipe(tiny_run):
    """Whoever writes a line and waits for its answer gets it, before the next line and the end of the input."""
    command = [sys.executable, "-m", "kt2t", "predict", str(tiny_run), "report.decode={type: Greedy}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        answers = []
        for line in (b"1 2\n", b"\n"):
            running.stdin.write(line)
            running.stdin.flush()
            answers.append(running.stdout.readline())
        rest, errors = running.communicate(b"3\n4")
    assert running.returncode == 0, errors.decode()
    assert re.fullmatch(rb"[\d ]*\n", answers[0]) and answers[1] == b"\n" and rest.count(b"\n") == 2
    # The model's own module is named, and progress every five seconds.
    slow = re.sub(r"using toy_model from .*\n|predict: lines: \d+\n", "", errors.decode())
    assert slow == ""


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


def test_where_nothing_can_be_written_is_told_before_anything_is_decoded(tiny_run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kt2t.run.predict.Predictor", lambda *_: pytest.fail("nothing is to be read"))
    (tmp_path / "in").write_text("1 2\n")
    (tmp_path / "file").write_text("x")
    for place in ("file/out", "nowhere/out", "."):
        words = ["predict", str(tiny_run), "--input", str(tmp_path / "in"), "--output", str(tmp_path / place)]
        assert run(words) == 5
        assert "cannot be written" in capsys.readouterr().err


def test_a_run_that_cannot_be_read_leaves_the_old_answers_and_no_new_file(tmp_path, capsys):
    (tmp_path / "in").write_text("1 2\n")
    (tmp_path / "old").write_text("precious")
    for name in ("old", "new"):
        words = ["predict", str(tmp_path / "none"), "--input", str(tmp_path / "in"), "--output", str(tmp_path / name)]
        assert run(words) == 4
    assert (tmp_path / "old").read_text() == "precious" and not (tmp_path / "new").exists()


def test_a_bad_line_is_named_and_the_lines_before_it_are_answered(tiny_run, tmp_path, capsys):
    (tmp_path / "in").write_bytes(b"1 2\n\xff\n3\n")
    words = ["predict", str(tiny_run), "--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    assert run(words) == 3
    assert f"{tmp_path / 'in'}:2: byte 1 (0xff) is not UTF-8" in capsys.readouterr().err
    assert len((tmp_path / "out").read_text().splitlines()) == 1
    (tmp_path / "in").write_bytes(b"\xff\n")
    assert run([*words[:-1], str(tmp_path / "none")]) == 3 and not (tmp_path / "none").exists()


def test_several_files_plain_and_gzip_and_what_is_no_file(tiny_run, tmp_path, capsys):
    (tmp_path / "a").write_text("1 2\n3\n")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"4\n\n"))
    assert run(["predict", str(tiny_run), "--input", str(tmp_path / "a"), str(tmp_path / "b.gz")]) == 0
    assert capsys.readouterr().out.count("\n") == 4
    assert run(["predict", str(tiny_run), "--input", str(tmp_path / "none")]) == 3
    assert "none' cannot be read: No such file" in capsys.readouterr().err


def test_a_wrong_run_is_told_before_anything_is_read(tmp_path):
    """Nothing is ever written to the pipe, and it stays open."""
    command = [sys.executable, "-m", "kt2t", "predict", str(tmp_path / "none")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.wait(600) == 4
        assert b"none" in running.stderr.read()


def test_a_person_is_answered_line_by_line(tiny_run):
    """On a terminal, with a prompt; a line that makes no sense ends nothing."""
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "kt2t", "predict", str(tiny_run)]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, close_fds=True) as running:
        os.close(terminal)
        shown = until(screen, b"> ")
        try:
            for line, answered in ((b"1 2\n", rb"1 2\r\n[\d ]*\r\n> $"), (b"what\n", rb"'what' is not .*?> $")):
                os.write(screen, line)
                shown = until(screen, b"> ")
                assert re.search(answered, shown, re.S), shown
            os.write(screen, b"\x04")
            assert running.wait(600) == 0
        finally:
            running.kill()  # else a failure would wait for it for ever
    os.close(screen)


def until(screen, end):
    """What a terminal shows, up to these bytes; without what readline says of pasted text."""
    shown = b""
    while not shown.endswith(end):
        shown = re.sub(rb"\x1b\[\?2004[hl]", b"", shown + os.read(screen, 1000))
    return shown


def test_whole_documents(tiny_run, tmp_path, capsys):
    for name, text in {"a": "1 2\n", "b": "3\n"}.items():
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / name) for name in "ab"]
    assert run(["predict", str(tiny_run), "--documents", *files]) == 0
    documents = capsys.readouterr().out.split("\n")
    (tmp_path / "lines").write_text("1 2\n3\n")
    assert run(["predict", str(tiny_run), "--input", str(tmp_path / "lines")]) == 0
    first, second, _ = capsys.readouterr().out.split("\n")
    assert documents == [first, "\f", second, ""]
    assert run(["predict", str(tiny_run), "--documents", "--json", *files]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["text"] for row in rows] == [first, second]


@pytest.mark.parametrize("command", ["predict", "evaluate", "average"])
def test_a_wrong_folder_is_named_before_keras_is_imported(command, tmp_path):
    code = f"""
import sys
from kt2t.cli.main import run
status = run([{command!r}, "nowhere"])
print(status, [name for name in ("keras", "tensorflow", "jax") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, stdin=subprocess.DEVNULL
    )
    assert done.stdout == "4 []\n" and "'nowhere' holds no run" in done.stderr
