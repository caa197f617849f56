"""Opens progress displays on stderr, one at a time on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_displays: list[Any] = []  # rich's displays that were opened and not closed; only the last one is drawn


def stderr() -> Console:
    """Returns a console on stderr, which writes plain text in a notebook."""
    from rich.console import Console

    return Console(stderr=True, force_jupyter=False)


def is_terminal(console: Console) -> bool:
    """Whether the console is a terminal that can redraw its lines."""
    return console.is_terminal and not console.is_dumb_terminal and not console.is_jupyter


def open_display(display: Any) -> None:
    """Shows a rich display and hides the one shown before, since two would overwrite each other's line."""
    if _displays:
        _displays[-1].stop()
    _displays.append(display)
    display.start()


def close_display(display: Any) -> None:
    """Removes a display from the terminal and shows the one again that it had hidden."""
    display.stop()
    if display not in _displays:
        return
    was_drawn = _displays[-1] is display
    _displays.remove(display)
    if was_drawn and _displays:
        _displays[-1].start()
