"""`kt2t prepare`: converts raw data to records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kt2t.cli.console import data_dir_option, json_option, overrides_argument, progress, recipe_argument, result, table
from kt2t.cli.quiet import import_keras


@click.command("prepare", short_help="Turn a recipe's raw data into records.")
@recipe_argument
@overrides_argument
@data_dir_option
@click.option("--verify", is_flag=True, help="Read the prepared files again and compare their sha256.")
@json_option
def command(recipe: str, overrides: tuple[str, ...], data_dir: Path | None, verify: bool, as_json: bool) -> None:
    """Convert the raw data of RECIPE to records, i.e. encoded examples in files. `train` does this too, if needed."""
    from kt2t.data.location import source_sizes
    from kt2t.run.assemble import problem_of
    from kt2t.run.folder import recipe_and_run

    loaded, _ = recipe_and_run(recipe, overrides)
    loaded.check()
    if "loss" in loaded.nodes["problem"]:  # the only option of a problem that needs keras
        import_keras()
    problem = problem_of(loaded)
    with progress("prepare") as update:
        folder = problem.prepare(data_dir, update, verify=verify)
    manifest = problem.prepared.manifest
    splits: dict[str, Any] = manifest["splits"]
    counts = {split: content["records"] for split, content in splits.items()}
    sizes = {field: vocabulary.size for field, vocabulary in problem.vocabularies().items()}
    files = {str(file): size for file, size in source_sizes(problem)}
    found = {"folder": str(folder), "examples": counts, "vocabulary_sizes": sizes, "files": files}
    result(found, as_json, _show)


def _show(found: dict[str, Any]) -> None:
    table([{"split": split, "examples": count} for split, count in found["examples"].items()])
    table([{"field": field, "vocabulary": size} for field, size in found["vocabulary_sizes"].items()])
    table([{"file": file, "bytes": size} for file, size in found["files"].items()])
    click.echo(found["folder"])
