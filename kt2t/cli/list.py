"""`kt2t list`: lists the names that a recipe or script can use."""

from __future__ import annotations

import click

from kt2t.cli.console import json_option, result, table
from kt2t.run.listing import WHAT, listed


@click.command("list", short_help="List problems, models, recipes and all other parts.")
@click.argument("what", type=click.Choice(WHAT))
@json_option
def command(what: str, as_json: bool) -> None:
    """List all things of one kind, with one line about each: recipes, or classes that a recipe or a script can name.

    The lists of optimizers, schedules, losses and metrics include those of Keras.
    """
    result(listed(what), as_json, table)
