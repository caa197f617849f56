"""Shows progress displays on stderr; on a terminal only the last opened one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_displays: list[Any] = []  # rich's displays that were opened and not closed; only the last one is drawn


def stderr() -> Console:
    """Returns a rich console that prints to stderr, as plain text in a notebook."""
    from rich.console import Console

    return Console(stderr=True, force_jupyter=False)


def is_terminal(console: Console) -> bool:
    """Whether the console is a terminal that can redraw its lines, so that a bar can be shown."""
    return console.is_terminal and not console.is_dumb_terminal and not console.is_jupyter


def open_display(display: Any) -> None:
    """Starts a rich display, such as a progress bar, and hides the one shown before; two would overwrite each other's line."""
    if _displays:
        _displays[-1].stop()
    _displays.append(display)
    display.start()


def close_display(display: Any) -> None:
    """Stops a rich display, removes it from the terminal, and shows again the display that it had hidden."""
    display.stop()
    if display not in _displays:
        return
    was_drawn = _displays[-1] is display
    _displays.remove(display)
    if was_drawn and _displays:
        _displays[-1].start()
