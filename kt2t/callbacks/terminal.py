"""Where progress is shown: stderr, as a terminal or as plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def stderr() -> Console:
    """A console on stderr; in a notebook too it writes plain text."""
    from rich.console import Console

    return Console(stderr=True, force_jupyter=False)


def is_terminal(console: Console) -> bool:
    """Whether the console is a terminal that can redraw what it has shown."""
    return console.is_terminal and not console.is_dumb_terminal and not console.is_jupyter
