"""Completes words of the command line in a shell, within a fraction of a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.shell_completion import BashComplete, CompletionItem, add_completion_class

OPEN = "nospace"  # in bash's script, the type of a word that the user continues, such as `train.steps=`


def recipe(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Returns the completions of a RECIPE argument: short names and run folders; without any, the shell completes a file.

    Bash would drop the names if files were offered as well.

    Args:
        ctx, param: Click's context and parameter.
        incomplete: The word typed so far.
    """
    from kt2t.run.completion import recipes, runs

    return [CompletionItem(name) for name in [*recipes(incomplete), *runs(incomplete)]] or _files(incomplete)


def run(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Returns the completions of a RUN argument: run folders; if there are none, the shell completes a folder.

    Args:
        ctx, param: Click's context and parameter.
        incomplete: The word typed so far.
    """
    from kt2t.run.completion import runs

    return [CompletionItem(name) for name in runs(incomplete)] or [CompletionItem(incomplete, type="dir")]


def override(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Returns the completions of a `KEY=VALUE` word: keys of the recipe or run that is earlier on the command line.

    Args:
        ctx, param: Click's context, which holds the recipe or run, and parameter.
        incomplete: The word typed so far.
    """
    from kt2t.run.completion import keys, keys_of_a_run

    name, folder = ctx.params.get("recipe"), ctx.params.get("run")
    if name is not None:
        return [CompletionItem(key) for key in keys(name, incomplete)]
    return [CompletionItem(key) for key in keys_of_a_run(folder, incomplete)] if folder is not None else []


def override_or_file(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Returns the completions of a word that is `KEY=VALUE` or a file: keys; without any, the shell completes a file."""
    return override(ctx, param, incomplete) or _files(incomplete)


def checkpoint(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """Returns the completions of `--checkpoint` for the run on the command line, such as `best` or a step.

    Args:
        ctx, param: Click's context, which holds the run, and parameter.
        incomplete: The word typed so far.
    """
    from kt2t.run.completion import checkpoints

    # Click reads no arguments where the last option has no value yet, and leaves them in `args`.
    folder = ctx.params.get("run") or next(iter(ctx.args), None)
    names = checkpoints(Path(folder)) if folder else ["last", "best", "average"]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _files(incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


class _Bash(BashComplete):
    """Click's completion for bash, but without a space after a word that the user continues, such as `train.steps=`."""

    source_template = BashComplete.source_template.replace(
        "elif [[ $type == 'plain' ]]; then",
        f"elif [[ $type == '{OPEN}' ]]; then\n            COMPREPLY+=($value)\n            compopt -o nospace\n"
        "        elif [[ $type == 'plain' ]]; then",
    )

    def format_completion(self, item: CompletionItem) -> str:
        return f"{OPEN},{item.value}" if item.value.endswith("=") else str(super().format_completion(item))


def install() -> None:
    """Registers kt2t's bash completion with click, in place of click's own."""
    add_completion_class(_Bash, "bash")
