"""`kt2t train`: trains a recipe; the same command again continues the run."""

from __future__ import annotations

from pathlib import Path

import click

from kt2t.cli.console import (
    data_dir_option,
    json_option,
    overrides_argument,
    progress,
    recipe_argument,
    run_dir_option,
    say,
)
from kt2t.cli.quiet import import_keras


@click.command("train", short_help="Train a recipe, or continue it.")
@recipe_argument
@overrides_argument
@run_dir_option
@data_dir_option
@json_option
def command(recipe: str, overrides: tuple[str, ...], run_dir: Path | None, data_dir: Path | None, as_json: bool) -> int:
    """Prepare the data of RECIPE if needed, train it, and evaluate it at the end.

    The same command continues a run that was stopped. KEY=VALUE overrides an option, for example train.steps=2000.
    RECIPE may also be a run folder: that run continues, even if the folder or its data (problem.path=DIR) was moved.
    """
    from kt2t.cli.evaluate import show
    from kt2t.run.evaluate import read
    from kt2t.run.folder import recipe_and_run
    from kt2t.run.train import train

    loaded, run = recipe_and_run(recipe, overrides)
    loaded.check()
    import_keras(operation=loaded.train.strategy != "multi_worker")
    with progress("train") as update:
        outcome = train(loaded, run_dir or run, data_dir, update, moved=run is not None)
    if outcome.evaluation is not None:
        show(outcome.evaluation, as_json)
    elif as_json and outcome.signal is None and (kept := read(outcome.folder, "validation")) is not None:
        show(kept, as_json)  # the run was finished before
    say(f"run folder: {outcome.folder} (step {outcome.step})")
    say(f"watch:      tensorboard --logdir {outcome.folder / 'tensorboard'}")
    if outcome.signal is not None:
        say("stopped and saved; the same command continues.")
        return 128 + outcome.signal
    if outcome.generates:
        say(f"use:        kt2t predict {outcome.folder} < lines")
    return 0
