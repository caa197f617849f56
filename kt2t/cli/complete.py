"""Tells a shell how a word of the command line goes on, and does so within a fraction of a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.shell_completion import BashComplete, CompletionItem, add_completion_class

OPEN = "nospace"  # in bash's script, the type of a word that goes on, such as `train.steps=`


def recipe(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Completes a recipe: its short name, a run, or a file.

    Bash forgets all other words where files are asked for, so they are only where there are no other words.
    """
    from kt2t.run.completion import recipes, runs

    return [CompletionItem(name) for name in [*recipes(incomplete), *runs(incomplete)]] or _files(incomplete)


def run(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Completes a run folder."""
    from kt2t.run.completion import runs

    return [CompletionItem(name) for name in runs(incomplete)] or [CompletionItem(incomplete, type="dir")]


def override(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Completes the key of an override of the recipe, or of the run, that stands before it."""
    from kt2t.run.completion import keys, keys_of_a_run

    name, folder = ctx.params.get("recipe"), ctx.params.get("run")
    if name is not None:
        return [CompletionItem(key) for key in keys(name, incomplete)]
    return [CompletionItem(key) for key in keys_of_a_run(folder, incomplete)] if folder is not None else []


def override_or_file(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Completes the key of an override, or a file."""
    return override(ctx, param, incomplete) or _files(incomplete)


def checkpoint(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Completes a checkpoint of the run that stands before it."""
    from kt2t.run.completion import checkpoints

    # Click reads no arguments where the last option has no value yet, and leaves them in `args`.
    folder = ctx.params.get("run") or next(iter(ctx.args), None)
    names = checkpoints(Path(folder)) if folder else ["last", "best", "average"]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _files(incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


class _Bash(BashComplete):
    """Bash's completion, without a space behind a word that goes on."""

    source_template = BashComplete.source_template.replace(
        "elif [[ $type == 'plain' ]]; then",
        f"elif [[ $type == '{OPEN}' ]]; then\n            COMPREPLY+=($value)\n            compopt -o nospace\n"
        "        elif [[ $type == 'plain' ]]; then",
    )

    def format_completion(self, item: CompletionItem) -> str:
        return f"{OPEN},{item.value}" if item.value.endswith("=") else str(super().format_completion(item))


def install() -> None:
    """Makes click write our script for bash."""
    add_completion_class(_Bash, "bash")
