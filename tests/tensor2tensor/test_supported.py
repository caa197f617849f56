import json

import pytest

from kt2t.errors import RecipeError
from kt2t.tensor2tensor.supported import faults, read

BASE = {
    "hidden_size": 512,
    "filter_size": 2048,
    "num_heads": 8,
    "num_hidden_layers": 6,
    "layer_preprocess_sequence": "n",
    "layer_postprocess_sequence": "da",
    "learning_rate": 0.2,
    "learning_rate_decay_scheme": "noam",
    "learning_rate_warmup_steps": 8000,
}


@pytest.fixture(scope="module")
def sets(tensor2tensor):
    """Every set of hparams that Tensor2Tensor registers, by name, whole."""
    found = json.loads((tensor2tensor / "hparams.json").read_text(encoding="utf-8"))
    return {name: {**found["basic_1"], **changes} for name, changes in found.items()}


TEXT = (
    "base base_v1 base_v2 base_single_gpu big big_single_gpu big_enfr tpu big_tpu small tiny test clean parsing_base "
    "relative"
)


@pytest.mark.parametrize("name", TEXT.split())
def test_the_sets_for_text_can_be_imported(sets, name):
    assert faults(sets[f"transformer_{name}"]) == []


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("transformer_prepend", ["prepend_mode"]),
        ("transformer_librispeech", ["max_input_seq_length"]),
        ("transformer_base_multistep8", ["optimizer_multistep_accumulate_steps = 8", "multistep_adam"]),
        ("transformer_tall_pretrain_lm", ["weight_decay", "adam_w"]),
        ("transformer_nat_base", ["bottleneck_kind is unknown"]),
        ("universal_transformer_base", ["recurrence_type is unknown"]),
    ],
)
def test_other_sets_are_refused_with_all_reasons(sets, name, named):
    told = "; ".join(faults(sets[name]))
    assert not [words for words in named if words not in told], told


REFUSED = {
    "unknown": ({"num_head": 8}, "num_head is unknown. Did you mean 'num_heads'"),
    "missing": ({"filter_size": None}, "filter_size is missing"),
    "no count": ({"num_heads": "8"}, "num_heads is missing"),
    "unsupported": ({"proximity_bias": True}, "proximity_bias = true needs attention that prefers what is near"),
    "no distance": ({"self_attention_type": "dot_product_relative"}, "max_relative_position is missing"),
    "training": ({"weight_decay": 3.0}, "weight_decay = 3.0 needs an L2 loss"),
    "optimizer": ({"optimizer": "yellow_fin"}, 'optimizer = "yellow_fin" needs that optimizer'),
    "order": ({"layer_postprocess_sequence": "n"}, "layer_preprocess_sequence = 'n' with 'n' after"),
    "schedule": ({"learning_rate_schedule": "constnt"}, "'constnt' is unknown. Did you mean 'constant'"),
    "no number": ({"attention_dropout": "0.1"}, 'attention_dropout = "0.1" is not a number'),
    "not finite": ({"label_smoothing": float("nan")}, "label_smoothing = NaN is not a number"),
    "no whole number": ({"batch_size": 0.5}, "batch_size = 0.5 is not a whole number"),
    "negative": ({"max_length": -1}, "max_length = -1 is not a whole number"),
    "no word": ({"norm_type": [8]}, "norm_type = [8] is not a word"),
    "no flag": ({"use_fixed_batch_size": {}}, "use_fixed_batch_size = {} is not true or false"),
    "embedding": ({"shared_embedding": True}, "shared_embedding = true needs one embedding for both sides"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_with_what_cannot_be_imported(case, tmp_path):
    changes, message = REFUSED[case]
    file = tmp_path / "hparams.json"
    file.write_text(json.dumps({**BASE, "hidden_sise": 4, **changes}), encoding="utf-8")
    with pytest.raises(RecipeError, match="2 of the options cannot be imported: .*hidden_sise is unknown") as told:
        read(file)
    assert message in str(told.value) and str(file) in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"hidden_size": 5', "is no JSON"),
        ("[" * 9999, "is no JSON"),
        ("[]", "not a JSON mapping of options"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_hparams(text, message, tmp_path):
    file = tmp_path / "hparams.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=message):
        read(file)


def test_what_does_not_count_beside_other_options():
    assert faults({**BASE, "shared_embedding": True, "shared_embedding_and_softmax_weights": True}) == []
    assert faults({**BASE, "optimizer_adafactor_beta1": 0.9}) == []
    assert faults({**BASE, "optimizer": "Adafactor", "optimizer_adafactor_beta1": 0.9}) != []


def test_a_file_of_something_else_is_answered_in_one_short_line(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps({f"strange_{n}": "x" * 900 for n in range(500)} | {"hidden_size": "y" * 9000}))
    with pytest.raises(RecipeError, match="and 4[0-9][0-9] more") as told:
        read(tmp_path / "x.json")
    assert len(str(told.value)) < 2500
