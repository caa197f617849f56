"""Where progress is shown: stderr, as a terminal with one display at a time, or as plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_displays: list[Any] = []  # rich's displays that were opened and not closed; only the last one is drawn


def stderr() -> Console:
    """A console on stderr; in a notebook too it writes plain text."""
    from rich.console import Console

    return Console(stderr=True, force_jupyter=False)


def is_terminal(console: Console) -> bool:
    """Whether the console is a terminal that can redraw what it has shown."""
    return console.is_terminal and not console.is_dumb_terminal and not console.is_jupyter


def open_display(display: Any) -> None:
    """Draws a display of rich's; the one that was drawn so far is hidden, since two would overwrite each other's line."""
    if _displays:
        _displays[-1].stop()
    _displays.append(display)
    display.start()


def close_display(display: Any) -> None:
    """Takes a display off the terminal, and draws the one again that it had hidden."""
    display.stop()
    if display not in _displays:
        return
    was_drawn = _displays[-1] is display
    _displays.remove(display)
    if was_drawn and _displays:
        _displays[-1].start()
