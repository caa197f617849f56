"""`kt2t import-t2t`: converts a Tensor2Tensor checkpoint to a run."""

from __future__ import annotations

from pathlib import Path

import click

from kt2t.cli.console import json_option, overrides_argument, progress, result, say
from kt2t.cli.quiet import import_keras

TEXTS = " problem.train_files=pairs.tsv problem.validation_files=more.tsv"  # a Tensor2Tensor checkpoint holds no texts
_PATH = click.Path(path_type=Path)


@click.command("import-t2t", short_help="Turn a checkpoint of Tensor2Tensor into a run.")
@click.argument("checkpoint", type=_PATH)
@click.option("--hparams", required=True, type=_PATH, help="The hparams.json beside the checkpoint.")
@click.option(
    "--vocabulary",
    "vocabularies",
    multiple=True,
    type=_PATH,
    help="The .subwords file. Give it twice, source first, if each side has its own.",
)
@click.option("--problem", required=True, help="Tensor2Tensor's name of the problem, such as translate_ende_wmt32k.")
@click.option("--run-dir", required=True, type=_PATH, help="New folder for the run.")
@overrides_argument
@json_option
def command(
    checkpoint: Path,
    hparams: Path,
    vocabularies: tuple[Path, ...],
    problem: str,
    run_dir: Path,
    overrides: tuple[str, ...],
    as_json: bool,
) -> None:
    """Convert CHECKPOINT, a checkpoint (model.ckpt-1000) of Tensor2Tensor's Transformer, to a run.

    CHECKPOINT may also be a folder, whose newest checkpoint is converted. `kt2t predict` works at once. Training and
    evaluating need texts: problem.train_files=pairs.tsv, and problem.validation_files=… or problem.test_files=….
    """
    import_keras()
    with progress("import"):
        from kt2t.run.import_t2t import import_run

        step = import_run(checkpoint, hparams, vocabularies, problem, run_dir, overrides)
    result({"folder": str(run_dir), "step": step}, as_json, lambda _: click.echo(run_dir))
    say(f"use:      kt2t predict {run_dir} < lines")
    texts = "" if any(one.startswith("problem.train_files=") for one in overrides) else TEXTS
    say(f"train on: kt2t train {run_dir}{texts}")
    say(f"measure:  kt2t evaluate {run_dir}{texts}")
