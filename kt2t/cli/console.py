"""Shared code of the commands: common options, messages on stderr, progress displays, and results as JSON or tables."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from kt2t.cli import complete
from kt2t.run.log import is_new

Progress = Callable[[int, "int | None", str], None]

recipe_argument = click.argument("recipe", shell_complete=complete.recipe)
overrides_argument = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...", shell_complete=complete.override)
run_argument = click.argument("run", type=click.Path(path_type=Path), shell_complete=complete.run)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder for prepared data. Default: $KT2T_DATA, else ~/.cache/kt2t.",
)
run_dir_option = click.option("--run-dir", type=click.Path(path_type=Path), help="Folder of the run. Default: runs/RECIPE.")
checkpoint_option = click.option(
    "--checkpoint",
    shell_complete=complete.checkpoint,
    help="last, best, average or a step. Default: best if the recipe sets report.best, else last.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def result(value: Any, as_json: bool, show: Callable[[Any], None]) -> None:
    """Prints a result to stdout: as JSON if `as_json`, else by calling `show(value)`."""
    if as_json:
        click.echo(json.dumps(value, indent=1, ensure_ascii=False))
    else:
        show(value)


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows to stdout as an aligned table, with the keys of the first row as heading. Prints nothing without rows."""
    if not rows:
        return
    names = list(rows[0])
    cells = [names, *[[_text(row.get(name)) for name in names] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(names))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """Prints a message for the user on stderr."""
    click.echo(text, err=True)


@contextlib.contextmanager
def progress(description: str) -> Iterator[Progress]:
    """Shows a command's progress and log on stderr inside the `with` block: a bar on a terminal, else a line every 5 seconds.

    Yields a function (done, total, what) that updates the display; the total is None if it is unknown.

    Args:
        description: Name of the work, shown at the beginning of each line.
    """
    with logged():
        if sys.stderr.isatty():
            with _bar(description) as update:
                yield update
        else:
            yield _lines(description)


@contextlib.contextmanager
def _bar(description: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from kt2t.callbacks.terminal import close_display, open_display

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars = Bars(*columns, console=Console(stderr=True), transient=True)
    tasks: dict[str, Any] = {}

    def told(done: int, total: int | None, what: str) -> None:
        if what not in tasks:
            while tasks:  # one line at a time: the work before this one is over
                bars.remove_task(tasks.popitem()[1])
            tasks[what] = bars.add_task(f"{description}: {what}", total=total)
        bars.update(tasks[what], completed=done, total=total)

    open_display(bars)
    try:
        yield told
    finally:
        close_display(bars)


def _lines(description: str, seconds: float = 5.0) -> Progress:
    last: dict[str, float] = {}

    def update(done: int, total: int | None, what: str) -> None:
        now = time.monotonic()
        if what not in last:
            last[what] = now
        elif now - last[what] >= seconds:
            last[what] = now
            say(f"{description}: {what}: {done:,}" + (f" of {total:,}" if total else ""))

    return update


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """Prints kt2t's log to stderr inside the `with` block, above a progress display if there is one."""
    logger = logging.getLogger("kt2t")
    handler = _OnStderr()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(is_new)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _OnStderr(logging.StreamHandler[Any]):
    """A logging handler that writes to the current `sys.stderr`, which rich replaces while it shows a progress display."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, value: Any) -> None:
        pass


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
