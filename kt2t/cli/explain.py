"""`kt2t explain`: shows a recipe with all its values, and estimates its cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kt2t.cli.console import data_dir_option, json_option, overrides_argument, progress, recipe_argument, result, table
from kt2t.cli.quiet import import_keras
from kt2t.recipe import Place, Recipe


@click.command("explain", short_help="Show a recipe resolved, without training.")
@recipe_argument
@overrides_argument
@data_dir_option
@json_option
def command(recipe: str, overrides: tuple[str, ...], data_dir: Path | None, as_json: bool) -> None:
    """Show RECIPE with the source of each value, the parameters of each part, and estimates of memory and time."""
    from kt2t.run.folder import recipe_and_run

    loaded, _ = recipe_and_run(recipe, overrides)
    loaded.check()
    # Not earlier: `estimate` imports numpy, and a wrong key should be reported at once.
    from kt2t.run.estimate import estimate

    import_keras()
    with progress("explain"):
        cost = estimate(loaded, data_dir)
    values = [{"value": f"{path}: {value}", "from": origin} for path, value, origin in _values(loaded)]
    result(
        {"recipe": loaded.nodes, "sources": values, "estimate": cost.as_dict()}, as_json, lambda _: _show(values, cost)
    )


def _show(values: list[dict[str, Any]], cost: Any) -> None:
    table(values)
    click.echo()
    parts = {**cost.parameters, "all": cost.total}
    table([{"part": part, "parameters": count} for part, count in parts.items()])
    click.echo()
    click.echo(f"memory of a step: about {cost.memory_bytes / 2**30:.1f} GiB")
    click.echo(f"work of a step:   about {cost.step_flop / 1e9:,.0f} GFLOP, {cost.step_seconds:.2g} s on this machine")
    if cost.steps is None:
        click.echo("steps:            train.epochs are counted in batches once the data is prepared (kt2t prepare)")
    else:
        click.echo(f"steps:            {cost.steps:,}, about {cost.steps * cost.step_seconds / 60:,.0f} min")
    if cost.assumed_vocabulary:
        click.echo("The vocabulary is not trained yet: its size is the requested one.")


def _values(recipe: Recipe) -> list[tuple[str, Any, str]]:
    found: list[tuple[str, Any, str]] = []
    for section, node in recipe.nodes.items():
        _walk(recipe, node, (section,), found)
    return found


def _walk(recipe: Recipe, value: Any, place: Place, found: list[tuple[str, Any, str]]) -> None:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            _walk(recipe, item, (*place, key), found)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            _walk(recipe, item, (*place, index), found)
    elif not isinstance(value, dict):
        holder = place
        while holder and holder not in recipe.origins:
            holder = holder[:-1]
        found.append((".".join(map(str, place)), value, str(recipe.origins.get(holder, "default"))))
