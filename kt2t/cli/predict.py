"""`kt2t predict`: answers each line of the input, in the same order."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from kt2t.cli.console import checkpoint_option, progress, run_argument
from kt2t.cli.quiet import import_keras
from kt2t.disk import writing


@click.command("predict", short_help="Answer lines of text.")
@run_argument
@click.argument("overrides", nargs=-1, metavar="[report.decode.KEY=VALUE]...")
@checkpoint_option
@click.option("--input", "source", type=click.File("rb"), default="-", help="Lines to read, plain or gzip; stdin by default.")
@click.option("--output", type=click.Path(path_type=Path), help="Where to write; stdout by default.")
@click.option("--tokens", default=8192, show_default=True, help="Source tokens per batch, padding counted.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write one JSON object per line, with scores. report.decode.n_best=4 gives four hypotheses.",
)
def command(
    run: Path,
    overrides: tuple[str, ...],
    checkpoint: str | None,
    source: IO[bytes],
    output: Path | None,
    tokens: int,
    as_json: bool,
) -> None:
    """Read a line an example, write the model's answer, one line each and in the same order."""
    from kt2t.data.sources.lines import everything
    from kt2t.run.predict import Predictor, lines_of

    name = getattr(source, "name", "<stdin>")
    lines = lines_of(everything(source, name), name)
    import_keras()
    with progress("predict") as update, _opened(output) as destination:
        predictor = Predictor(run, checkpoint, overrides)
        answers = list(predictor.lines(lines, tokens, as_json, update, source=name))
        if output is not None and output.is_file():
            destination.truncate(0)
        destination.writelines(f"{line}\n" for line in answers)


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[Any]:
    """Opens the output before the work starts. An existing file keeps its content until the answers are written.

    Raises:
        ResourceError: The file cannot be written.
    """
    if output is None or str(output) == "-":
        with click.open_file("-", "w", encoding="utf-8") as file:
            yield file
        return
    with writing(output):
        new = not output.exists()
        handle = os.open(output, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            yield file
    except BaseException:
        if new and output.is_file() and not output.stat().st_size:
            output.unlink()
        raise
