"""`kt2t average`: the mean of a run's last checkpoints."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kt2t.cli.console import json_option, progress, result, run_argument
from kt2t.cli.quiet import import_keras


@click.command("average", short_help="Average a run's last checkpoints.")
@run_argument
@click.option("--last", type=click.IntRange(min=1), help="How many. Default: the recipe's train.average.")
@json_option
def command(run: Path, last: int | None, as_json: bool) -> None:
    """Write the mean of the last checkpoints' weights of RUN, for `--checkpoint average` of evaluate and predict.

    Where fewer are kept, it is the mean of all of them. When the run goes on, the next use makes it anew.
    """
    from kt2t.run.average import averaged
    from kt2t.run.folder import RunFolder

    folder = RunFolder(run)
    count = last or folder.recipe().train.average
    import_keras()
    with progress("average"):
        average = averaged(folder, count)
    found = {**asdict(average), "checkpoint": str(average.checkpoint), "asked": count}
    result(found, as_json, _show)


def _show(found: dict[str, Any]) -> None:
    from kt2t.run.average import listed

    steps = found["steps"]
    fewer = f" ({found['asked']} were asked for, {len(steps)} kept)" if len(steps) < found["asked"] else ""
    click.echo(f"{found['checkpoint']}: the mean of {listed(steps)}{fewer}")
    if not found["made"]:
        click.echo("It was there already.")
