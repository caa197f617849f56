"""Command lines of Tensor2Tensor, and ours in their place."""

import json

import pytest

from kt2t.cli.main import COMMANDS as OURS
from kt2t.cli.main import run
from kt2t.recipe_file import load, short_names
from kt2t.tensor2tensor.command_line import COMMANDS, OPTIONS, RECIPES, SIZED, SIZES, VARIANTS, our_command, translated


def test_every_recipe_and_command_named_exists():
    variants = {recipe for others in VARIANTS.values() for recipe in others.values()}
    assert {*RECIPES.values(), *VARIANTS, *variants, *SIZED} <= short_names().keys()
    assert set(COMMANDS.values()) <= set(OURS)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--problem=translate_ende_wmt32k", "--hparams_set=transformer_base"], "kt2t train translation/wmt_ende_base."),
        (["--problem=translate_ende_wmt32k_packed", "--hparams_set=transformer_big_single_gpu"], "translation/wmt_ende_big."),
        (["--problem", "algorithmic_reverse_decimal40", "--model", "lstm_seq2seq"], "algorithmic/reverse_decimal40_lstm."),
        (["--problem", "algorithmic_reverse_decimal40", "--model", "transformer"], "algorithmic/reverse_decimal40."),
        (["--problem=translate_ende_wmt8k", "--model=slice_net", "--hparams_set=slicenet_1"], "translation/slicenet_1."),
        (["--problem=translate_ende_wmt8k", "--hparams_set=lstm_luong_attention_multi"], "translation/lstm_attention."),
        (["--problem=translate_ende_wmt8k", "--model=lstm_seq2seq"], "translation/lstm_seq2seq."),
        (["--problem=translate_ende_wmt32k", "--model=universal_transformer"], "translation/universal_transformer_base."),
        (["--problem=algorithmic_reverse_binary40"], "algorithmic/reverse_decimal40 problem.symbols=2."),
        (["--problem=algorithmic_addition_binary40"], "algorithmic/addition_binary40."),
        (["--problem=languagemodel_lm1b32k"], "language/text_files."),
        (["--problem=image_mnist", "--hparams_set=basic_fc_small"], "kt2t train image/mnist_feed_forward."),
        (
            ["--problem=translate_enfr_wmt8k", "--hparams_set=transformer_tiny", "--train_steps=100", "--output_dir=a b"],
            "kt2t train translation/own model.num_layers=2 model.hidden_dim=128 model.intermediate_dim=512 model.num_heads=4 "
            "train.steps=100 --run-dir 'a b'.",
        ),
        (["--problem=text2text_tmpdir", "--data_dir", "d"], "kt2t train translation/own --data-dir d"),
        (["--hparams_set=transformer_base"], "`kt2t list recipes`"),
        (["--problem=gym_pong"], "here is no recipe for Tensor2Tensor's 'gym_pong' yet"),
    ],
)
def test_the_command_line_names_its_recipe(words, expected, capsys):
    assert expected in translated(["train", *words], short_names())
    assert run(["train", *words]) == 2
    told = capsys.readouterr().err
    assert expected in told and "from-tensor2tensor.md" in told and len(told.splitlines()) == 1


def test_every_translation_is_a_recipe_with_these_options():
    """What we tell a user to type is checked as a recipe is."""
    for start in [*RECIPES, *OPTIONS]:
        for hparams_set in ("", *SIZES):
            told = translated(["train", f"--problem={start}", f"--hparams_set={hparams_set}"], short_names())
            words = told.partition(": kt2t train ")[2].removesuffix(". See docs/from-tensor2tensor.md.").split()
            recipe = load(words[0], [*words[1:], "problem.path=.", "problem.train_files=."])
            recipe.unresolved.clear()
            for option in words[1:]:
                section, key = option.partition("=")[0].split(".")
                assert key in recipe.nodes[section]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["evaluate", "--problem=x", "--output_dir=t2t_train"], "kt2t evaluate t2t_train."),
        (["predict", "--problem=x", "--hparams_set=y"], "kt2t predict RUN."),
        (["prepare", "--problem=translate_ende_wmt8k", "--data_dir=d"], "kt2t prepare translation/wmt_ende_base --data-dir d"),
        (["t2t-trainer", "--problem=image_mnist"], "kt2t train image/mnist."),
        (["t2t_datagen.py", "--problem=image_mnist"], "kt2t prepare image/mnist."),
        (["t2t-trainer"], "Tensor2Tensor's t2t-trainer is `kt2t train`"),
    ],
)
def test_other_commands(words, expected, capsys):
    assert run(words) == 2
    assert expected in capsys.readouterr().err
    assert our_command("train") is None


def test_ours_is_not_taken_for_tensor2tensors():
    assert translated(["train", "quickstart", "--run-dir", "x"], short_names()) is None
    assert translated([], short_names()) is None


def test_the_sizes_are_tensor2tensors(tensor2tensor):
    sets = json.loads((tensor2tensor / "hparams.json").read_text())
    keys = ("num_hidden_layers", "hidden_size", "filter_size", "num_heads")
    for name, sizes in SIZES.items():
        assert sizes == tuple(sets[name].get(key, {"num_hidden_layers": 4, "hidden_size": 64}.get(key)) for key in keys)
