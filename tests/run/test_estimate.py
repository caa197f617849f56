import math

import pytest

from kt2t.features import Audio, Label, Tags, Text
from kt2t.recipe_file import load
from kt2t.run.assemble import build_model, problem_of
from kt2t.run.estimate import by_part, estimate, product_rate, shapes


@pytest.fixture
def tiny(tiny_transformer):
    return tiny_transformer


def test_parameters_of_each_part_add_up(tiny):
    cost = estimate(load(str(tiny)))
    assert sum(cost.parameters.values()) == cost.total
    hidden, inner, words = 16, 32, 5 + 2
    norm = 2 * hidden
    feed_forward = hidden * inner + inner + inner * hidden + hidden
    attention = 4 * hidden * hidden
    expected = (
        words * hidden + (attention + feed_forward + 2 * norm) + norm + (2 * attention + feed_forward + 3 * norm) + norm
    )
    assert cost.total == expected
    assert cost.memory_bytes > 16 * cost.total and cost.step_seconds > 0


# 60,897,280 less the 32 × 512 target-space table, and 209,874,944 less 32 × 1024: that field is not read here. Of
# lstm_attention upstream has no count: to lstm_seq2seq come the projections of memory and query, the score vector, the
# attention's output, and the lowest decoder layer's input from it.
COUNTS = {
    "wmt_ende_base": 60_880_896,
    "wmt_ende_big": 209_842_176,
    "lstm_seq2seq": 13_109_248,
    "lstm_attention": 13_109_248 + 2 * 128 * 128 + 128 + 256 * 128 + 128 * 4 * 128,
}


@pytest.mark.parametrize(("recipe", "parameters"), COUNTS.items())
def test_recipes_of_tensor2tensor_have_its_parameters(recipe, parameters, tmp_path):
    (tmp_path / "pairs.tsv").write_text("a\tb\n")
    loaded = load(f"translation/{recipe}", [f"problem.train_files=['{tmp_path / 'pairs.tsv'}']", "train.dtype=float32"])
    model = build_model(loaded, problem_of(loaded).expected_features())
    assert sum(math.prod(weight.shape) for weight in model.trainable_weights) == parameters


def test_parts_are_summed_and_the_rate_is_measured():
    sizes = {"encoder.layers.0.a.kernel": 3, "encoder.layers.1.a.kernel": 4, "table": 5}
    assert by_part(sizes) == {"encoder.layers": 7, "table": 5}
    assert product_rate("float32", size=64, seconds=0.01) > 0


def forward_by_hand(rows, time, hidden, inner, words):
    """Operations of the blocks of a Transformer of one and one layer, and of its logits."""
    tokens = rows * time
    projection, scores = 2 * tokens * hidden * hidden, 2 * rows * time * time * hidden
    attention, feed_forward = 4 * projection + 2 * scores, 2 * 2 * tokens * hidden * inner
    return 3 * attention + 2 * feed_forward, 2 * tokens * hidden * words


def test_work_and_memory_of_a_transformer(tiny):
    def of(*overrides):
        return estimate(load(str(tiny), ["train.dtype=float32", *overrides]))

    blocks, logits = forward_by_hand(rows=16, time=64, hidden=16, inner=32, words=7)
    whole, parts, again = of(), of("train.micro_batches=4"), of("model.recompute=true")
    assert whole.step_flop == pytest.approx(3 * (blocks + logits))
    assert parts.step_flop == pytest.approx(whole.step_flop)
    last_products = 2 * (2 * 16 * 64 * 32 * 16)  # nothing needs what comes out of a block a second time
    assert again.step_flop == pytest.approx(whole.step_flop + blocks - last_products)
    kept, kept_of_part, kept_again = (
        cost.memory_bytes - size * whole.total for cost, size in ((whole, 16), (parts, 20), (again, 16))
    )
    scores = 16 * 2 * 64 * 64 * 4  # of one attention, in bytes; a softmax is kept for each
    assert kept > 3 * scores and kept_of_part == pytest.approx(kept / 4, rel=0.05)
    assert kept_again < kept / 2 and kept_again < 3 * scores


def test_the_batch_of_a_recipe():
    def sizes(features, batch, parts=1):
        return shapes(features, batch, parts)

    texts = {"inputs": Text(9), "targets": Text(9)}
    read, target = sizes(texts, {"tokens": 1024})
    names = ("inputs", "inputs_segments", "targets", "targets_segments")
    assert read == dict.fromkeys(names, ((16, 64), "int32")) and target == ((16, 64), "int32")
    assert sizes(texts, {"tokens": 1024, "pack": 128}, 4)[1] == ((2, 128), "int32")
    assert sizes(texts, {"rows": 5, "max_length": 7})[1] == ((5, 7), "int32")
    read, target = sizes({"inputs": Text(9), "targets": {"tags": Tags(3), "label": Label(2)}}, {"rows": 5})
    assert set(read) == {"inputs", "inputs_segments"} and target == {"tags": ((5, 64), "int32"), "label": ((5,), "int32")}
    sound = Audio(16_000)
    read, _ = sizes({"inputs": sound, "targets": Label(2)}, {"rows": 5})
    assert read["inputs"][0][:2] == (5, 64 * sound.values_per_position)
