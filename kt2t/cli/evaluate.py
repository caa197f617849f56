"""`kt2t evaluate`: evaluates a run on a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kt2t.cli import complete
from kt2t.cli.console import checkpoint_option, data_dir_option, json_option, progress, result, run_argument, table
from kt2t.cli.quiet import import_keras

if TYPE_CHECKING:
    from kt2t.run.evaluate import Evaluation


@click.command("evaluate", short_help="Measure a run on a split.")
@run_argument
@click.option("--split", default="validation", show_default=True, help="A split of the problem.")
@checkpoint_option
@click.option("--samples", type=click.IntRange(min=0), default=5, show_default=True, help="Number of decoded examples to show.")
@data_dir_option
@json_option
@click.argument(
    "overrides",
    nargs=-1,
    metavar="[report.decode.KEY=VALUE | problem.path=DIR]...",
    shell_complete=complete.override,
)
def command(
    run: Path,
    split: str,
    checkpoint: str | None,
    samples: int,
    data_dir: Path | None,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """Evaluate RUN, a run folder, on a split of its problem. Print metrics, scores and decoded examples."""
    from kt2t.run.evaluate import evaluate
    from kt2t.run.folder import RunFolder

    RunFolder(run).manifest()  # a wrong folder is named before keras is imported
    import_keras()
    with progress("evaluate") as update:
        evaluation = evaluate(run, split, checkpoint, data_dir, update, samples=samples, overrides=overrides)
    show(evaluation, as_json)


def show(evaluation: Evaluation, as_json: bool) -> None:
    """Prints an evaluation to stdout, as JSON or as decoded examples and a table of values."""
    result(evaluation.as_dict(), as_json, lambda _: _show(evaluation))


def _show(evaluation: Evaluation) -> None:
    for sample in evaluation.samples:
        for field, text in sample.items():
            click.echo(f"{field:>10}: {text}")
        click.echo()
    where = {"split": evaluation.split, "step": evaluation.step}
    rows: list[dict[str, Any]] = []
    for name, value in evaluation.values().items():
        count = {"examples": evaluation.examples.get(name, "")} if evaluation.examples else {}
        rows.append({**where, "measure": name, "value": value, **count})
    table(rows)
    for name, signature in evaluation.signatures.items():
        click.echo(f"{name}: {signature}")
