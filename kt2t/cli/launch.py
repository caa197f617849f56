"""`kt2t launch`: runs `kt2t train` with several workers on this machine."""

from __future__ import annotations

from pathlib import Path

import click

from kt2t.cli.console import data_dir_option, logged, overrides_argument, recipe_argument, run_dir_option


@click.command("launch", short_help="Train with several workers on this machine.")
@recipe_argument
@overrides_argument
@click.option("--workers", type=click.IntRange(min=1), required=True, help="Number of processes that share each batch.")
@click.option(
    "--restarts",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Maximum number of restarts in a row without progress.",
)
@run_dir_option
@data_dir_option
def command(
    recipe: str, overrides: tuple[str, ...], workers: int, restarts: int, run_dir: Path | None, data_dir: Path | None
) -> int:
    """Train RECIPE with several worker processes on this machine. They share each batch, so results equal those of one.

    When a worker dies, all workers restart from the last checkpoint. The same command continues a run that was stopped.
    """
    from kt2t.recipe_file import run_name
    from kt2t.run.folder import recipe_and_run
    from kt2t.run.launch import launch

    loaded, run = recipe_and_run(recipe, overrides)
    loaded.check()
    folder = run_dir or run or Path("runs") / run_name(loaded)
    words = ["train", recipe, *overrides, "train.strategy=multi_worker", "--run-dir", str(folder)]
    words += [] if data_dir is None else ["--data-dir", str(data_dir)]
    with logged():
        return launch(words, workers, folder, restarts)
