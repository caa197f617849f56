"""Translates a Tensor2Tensor command line to ours: problem and hparams set together select a recipe."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence

# Our command for each of Tensor2Tensor's; names such as `t2t_trainer.py` are converted to these first.
COMMANDS = {
    "t2t-trainer": "train",
    "t2t-datagen": "prepare",
    "t2t-eval": "evaluate",
    "t2t-decoder": "predict",
    "t2t-avg-all": "average",
    "t2t-bleu": "evaluate",
}
# The recipe for a problem, by the prefix of its name; the longest prefix decides. A problem AREA_REST that has its own
# recipe AREA/REST needs no entry.
RECIPES = {
    "translate_ende_wmt": "translation/wmt_ende_base",
    "translate_": "translation/own",
    "text2text_tmpdir": "translation/own",
    "summarize_": "translation/own",
    "dialog_": "translation/own",
    "paraphrase_": "translation/own",
    "sentence_compression_": "translation/own",
    "style_transfer_": "translation/own",
    "parsing_": "translation/own",
    "wsj_parsing": "translation/own",
    "languagemodel_ptb": "language/ptb",
    "languagemodel_wikitext103": "language/wikitext2",
    "languagemodel_": "language/text_files",
    "image_mnist": "image/mnist",
    "image_fashion_mnist": "image/mnist",
    "image_": "image/folder",
    "algorithmic_identity_": "algorithmic/identity_decimal40",
    "algorithmic_shift_": "algorithmic/shift_decimal40",
    "algorithmic_reverse_": "algorithmic/reverse_decimal40",
    "algorithmic_reverse_nlplike": "algorithmic/reverse_zipf8k",
    "algorithmic_addition_binary40": "algorithmic/addition_binary40",
    "algorithmic_addition_": "algorithmic/addition_decimal40",
    "algorithmic_multiplication_binary40": "algorithmic/multiplication_binary40",
    "algorithmic_multiplication_": "algorithmic/multiplication_decimal40",
    "algorithmic_sort_problem": "algorithmic/sort",
}
# The recipe that takes the place of another for a set of hparams or a model, by the prefix of its name; the first that fits.
VARIANTS = {
    "translation/wmt_ende_base": {
        "transformer_big": "translation/wmt_ende_big",
        "universal_transformer": "translation/universal_transformer_base",
        "evolved_transformer": "translation/evolved_transformer_base",
        "bytenet": "translation/bytenet_base",
        "byte_net": "translation/bytenet_base",
        "slicenet": "translation/slicenet_1",
        "slice_net": "translation/slicenet_1",
        "lstm_seq2seq_attention": "translation/lstm_attention",
        "lstm_attention": "translation/lstm_attention",
        "lstm_bahdanau_attention": "translation/lstm_attention",
        "lstm_luong_attention": "translation/lstm_attention",
        "lstm_seq2seq": "translation/lstm_seq2seq",
    },
    "image/mnist": {"basic_fc": "image/mnist_feed_forward"},
    "algorithmic/addition_binary40": {"neural_gpu": "algorithmic/neural_gpu"},
    "algorithmic/reverse_decimal40": {"lstm_seq2seq": "algorithmic/reverse_decimal40_lstm"},
}
# Options of problems whose value differs from that in the recipe above.
OPTIONS = {
    "algorithmic_identity_binary40": ("problem.symbols=2",),
    "algorithmic_reverse_binary40": ("problem.symbols=2",),
    "algorithmic_reverse_nlplike32k": ("problem.symbols=32000",),
}
# Sizes of the Transformer in each hparams set: layers, hidden, intermediate, heads.
SIZES = {
    "transformer_tiny": (2, 128, 512, 4),
    "transformer_small": (2, 256, 1024, 4),
    "transformer_base": (6, 512, 2048, 8),
    "transformer_big": (6, 1024, 4096, 16),
}
SIZED = ("translation/own", "language/text_files")  # recipes whose model takes these sizes
MARKS = ("problem", "problems", "hparams_set", "model", "t2t_usr_dir")  # one of these shows a T2T command
FLAGS = {"data_dir": "--data-dir", "output_dir": "--run-dir"}
PAGE = "docs/from-tensor2tensor.md"


def our_command(name: str) -> str | None:
    """Returns our command for a Tensor2Tensor command such as `t2t-trainer`; None if we have no such command."""
    return COMMANDS.get(name.removesuffix(".py").replace("_", "-"))


def translated(words: Sequence[str], recipes: Collection[str]) -> str | None:
    """Returns a hint that gives our command line for Tensor2Tensor's; None if `words` are not Tensor2Tensor's.

    Args:
        words: The command's name and its arguments.
        recipes: Short names of the existing recipes.
    """
    given = _options(words[1:])
    if not words or not any(mark in given for mark in MARKS):
        return None
    command = our_command(words[0]) or words[0]
    if command in ("evaluate", "predict", "average"):
        run = given.get("output_dir") or "RUN"
        return f"Tensor2Tensor's options are not needed for a run: kt2t {command} {shlex.quote(run)}. See {PAGE}."
    if (problem := given.get("problem") or given.get("problems")) is None:
        return f"a recipe names problem, model and options together: see `kt2t list recipes` and {PAGE}."
    recipe = _recipe(problem, (given.get("hparams_set", ""), given.get("model", "")), recipes)
    if recipe is None:
        return f"there is no recipe for Tensor2Tensor's {problem!r} yet: see `kt2t list recipes` and {PAGE}."
    ours = ["kt2t", command, recipe, *_overrides(problem, recipe, given, command)]
    return f"the recipe for Tensor2Tensor's {problem!r} is {recipe}: {shlex.join(ours)}. See {PAGE}."


def _recipe(problem: str, names: Sequence[str], recipes: Collection[str]) -> str | None:
    """Returns the recipe for a problem with a set of hparams or a model of these names; None if there is none."""
    plain = problem.removesuffix("_packed").removesuffix("_rev")
    recipe = plain.replace("_", "/", 1)
    if recipe not in recipes:
        fitting = [start for start in RECIPES if plain == start or plain.startswith(start)]
        if not fitting:
            return None
        recipe = RECIPES[max(fitting, key=len)]
    variants = VARIANTS.get(recipe, {})
    recipe = next((variants[start] for name in names for start in variants if name.startswith(start)), recipe)
    return recipe if recipe in recipes else None


def _overrides(problem: str, recipe: str, given: Mapping[str, str], command: str) -> list[str]:
    found = list(OPTIONS.get(problem, ()))
    names = [name for name in SIZES if given.get("hparams_set", "").startswith(name)]
    if names and recipe in SIZED:
        keys = ("num_layers", "hidden_dim", "intermediate_dim", "num_heads")
        found += [f"model.{key}={size}" for key, size in zip(keys, SIZES[names[0]], strict=True)]
    if given.get("train_steps"):
        found.append(f"train.steps={given['train_steps']}")
    for option, flag in FLAGS.items():
        if given.get(option) and (command == "train" or flag == "--data-dir"):
            found += [flag, given[option]]
    return found


def _options(words: Sequence[str]) -> dict[str, str]:
    """Returns the options of a command line by name; reads `--name=value` and `--name value`."""
    found: dict[str, str] = {}
    for place, word in enumerate(words):
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("--") and name:
            following = words[place + 1] if place + 1 < len(words) and not words[place + 1].startswith("-") else ""
            found[name] = value if equals else following
    return found
