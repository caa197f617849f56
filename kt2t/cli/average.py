"""`kt2t average`: averages the weights of a run's last checkpoints."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kt2t.cli.console import json_option, progress, result, run_argument
from kt2t.cli.quiet import import_keras


@click.command("average", short_help="Average a run's last checkpoints.")
@run_argument
@click.option("--last", type=click.IntRange(min=1), help="Number of checkpoints. Default: the recipe's train.average.")
@json_option
def command(run: Path, last: int | None, as_json: bool) -> None:
    """Average the weights of RUN's last checkpoints. `evaluate` and `predict` use the mean with `--checkpoint average`.

    RUN is a run folder. If it keeps fewer checkpoints, all of them are averaged. If the run continues, the next use
    averages again.
    """
    from kt2t.run.average import average_checkpoints
    from kt2t.run.folder import RunFolder

    folder = RunFolder(run)
    count = last or folder.recipe().train.average
    import_keras()
    with progress("average"):
        average = average_checkpoints(folder, count)
    found = {**asdict(average), "checkpoint": str(average.checkpoint), "asked": count}
    result(found, as_json, _show)


def _show(found: dict[str, Any]) -> None:
    from kt2t.run.average import steps_in_words

    steps = found["steps"]
    fewer = f" ({found['asked']} were asked for, {len(steps)} kept)" if len(steps) < found["asked"] else ""
    click.echo(f"{found['checkpoint']}: the mean of {steps_in_words(steps)}{fewer}")
    if not found["made"]:
        click.echo("It existed already.")
