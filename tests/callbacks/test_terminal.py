"""Where lines go."""

from __future__ import annotations

import io

from rich.console import Console

from kt2t.callbacks.terminal import close_display, is_terminal, open_display, stderr


def test_stderr_and_never_a_notebook(capsys):
    console = stderr()
    console.print("hello", markup=False)
    assert capsys.readouterr() == ("", "hello\n")
    assert not console.is_jupyter


def test_a_file_is_no_terminal():
    assert not is_terminal(Console(file=io.StringIO()))
    assert is_terminal(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "xterm"}))
    assert not is_terminal(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}))


class Display:
    def __init__(self, name, told):
        self.name, self.told, self.drawn = name, told, False

    def start(self):
        self.drawn = True
        self.told.append(f"+{self.name}")

    def stop(self):
        self.drawn = False
        self.told.append(f"-{self.name}")


def test_one_display_at_a_time():
    told = []
    outer, inner = Display("outer", told), Display("inner", told)
    open_display(outer)
    open_display(inner)
    assert not outer.drawn and inner.drawn, "two would overwrite each other's line"
    close_display(inner)
    assert outer.drawn and not inner.drawn
    close_display(inner)
    close_display(outer)
    assert not outer.drawn and told == ["+outer", "-outer", "+inner", "-inner", "+outer", "-inner", "-outer"]


def test_a_hidden_display_can_be_closed():
    told = []
    outer, inner = Display("outer", told), Display("inner", told)
    open_display(outer)
    open_display(inner)
    close_display(outer)
    assert inner.drawn
    close_display(inner)
    assert told[-1] == "-inner"
