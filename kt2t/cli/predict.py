"""`kt2t predict`: lines in, lines out, in the same order."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from kt2t.cli.console import checkpoint_option, progress, run_argument
from kt2t.cli.quiet import import_keras


@click.command("predict", short_help="Read lines, write the model's lines.")
@run_argument
@click.argument("overrides", nargs=-1, metavar="[report.decode.KEY=VALUE]...")
@checkpoint_option
@click.option("--input", "source", type=click.File("rb"), default="-", help="Lines to read; stdin by default.")
@click.option(
    "--output",
    "destination",
    type=click.File("w", encoding="utf-8", lazy=True),
    default="-",
    help="Where to write; stdout by default.",
)
@click.option("--tokens", default=8192, show_default=True, help="Source tokens per batch, padding counted.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line: all hypotheses and their scores.")
def command(
    run: Path,
    overrides: tuple[str, ...],
    checkpoint: str | None,
    source: IO[bytes],
    destination: IO[str],
    tokens: int,
    as_json: bool,
) -> None:
    """Read a line an example, write the model's answer, one line each and in the same order."""
    from kt2t.run.predict import Predictor, lines_of

    name = getattr(source, "name", "<stdin>")
    lines = lines_of(source.read(), name)
    import_keras()
    with progress("predict") as told:
        predictor = Predictor(run, checkpoint, overrides)
        for line in predictor.lines(lines, tokens, as_json, told, source=name):
            destination.write(line + "\n")
