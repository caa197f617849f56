"""Where lines go."""

from __future__ import annotations

import io

from rich.console import Console

from kt2t.callbacks.terminal import is_terminal, stderr


def test_stderr_and_never_a_notebook(capsys):
    console = stderr()
    console.print("hello", markup=False)
    assert capsys.readouterr() == ("", "hello\n")
    assert not console.is_jupyter


def test_a_file_is_no_terminal():
    assert not is_terminal(Console(file=io.StringIO()))
    assert is_terminal(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "xterm"}))
    assert not is_terminal(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}))
