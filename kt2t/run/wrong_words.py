"""Finds the command that a user meant by an unknown option: a recipe's option, or Tensor2Tensor's command line."""

from __future__ import annotations

from collections.abc import Sequence

from kt2t.errors import Kt2tError
from kt2t.recipe_file import load, short_names
from kt2t.signatures import static_options
from kt2t.tensor2tensor.command_line import our_command, translated

COMMANDS_WITH_OPTIONS_OF_THEIR_OWN = ("import-t2t",)  # its `--problem` and `--hparams` are Tensor2Tensor's


def of_tensor2tensor(words: Sequence[str]) -> str:
    """Returns a sentence that gives kt2t's command for a Tensor2Tensor command line; '' if `words` is not one.

    Args:
        words: All words after `kt2t` on the command line.
    """
    if not words or words[0] in COMMANDS_WITH_OPTIONS_OF_THEIR_OWN:
        return ""
    if told := translated(words, short_names().keys()):
        return told[0].upper() + told[1:]
    ours = our_command(words[0])
    return f"Tensor2Tensor's {words[0]} is `kt2t {ours}` here: see docs/from-tensor2tensor.md." if ours else ""


def as_override(option: str, words: Sequence[str]) -> str:
    """Returns advice to write a recipe's option as `section.option=value`; '' if no section of a recipe has the option.

    Args:
        option: The option as the user wrote it, such as `--steps`.
        words: All words after `kt2t` on the command line. If one of them names a recipe, the options of its problem,
            model and optimizer are known too.
    """
    name = option.lstrip("-").replace("-", "_")
    for section, known in _sections(words):
        if name in known:
            return f"Options of a recipe are words of their own: {section}.{name}={_value(option, words)}."
    return ""


def _sections(words: Sequence[str]) -> list[tuple[str, set[str]]]:
    """Returns pairs of a recipe's section and the names of its options: `train`, `report`, and those of the recipe in
    `words`.
    """
    found = [(section, {*(static_options(section.title(), section) or ())}) for section in ("train", "report")]
    named = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), None)
    try:
        nodes = load(named).nodes if named else {}
    except (Kt2tError, OSError):
        nodes = {}
    for section in ("model", "problem", "optimizer"):
        kind = nodes.get(section, {}).get("type")
        if isinstance(kind, str):
            found.append((section, {*(static_options(kind, section) or ())}))
    return found


def _value(option: str, words: Sequence[str]) -> str:
    """Returns the value that was given to an option, as `--option=value` or `--option value`; else `VALUE`."""
    for place, word in enumerate(words):
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
        if word == option and place + 1 < len(words) and not words[place + 1].startswith("-"):
            return words[place + 1]
    return "VALUE"
