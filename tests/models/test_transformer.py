"""The Transformer as a whole."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import ON_JAX, counted_on_tensorflow, numbers
from model_harness import (
    beams_by_recomputation,
    check_learns,
    check_model,
    greedy_by_recomputation,
    text_batch,
)

from kt2t.decoding import Beam, Greedy
from kt2t.features import END, Label, Text
from kt2t.layers import Attention, FeedForward, L2Norm, LearnedPositions, NoPositions, RelativeAttention
from kt2t.losses import CrossEntropy
from kt2t.models import Transformer, TransformerLM
from kt2t.ops.paths import attribute_paths

SIZES = {"num_layers": 2, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2}
FEATURES = {"inputs": Text(12), "targets": Text(12)}


OPTIONS = [
    {},
    {"norm": "post", "tie": "output", "encoder_layers": 1, "positions": LearnedPositions(9)},
    {"normalization": L2Norm()},
    {"input_positions": "from_end"},
    {"attention": RelativeAttention(2, max_distance=2), "positions": NoPositions()},
    {"tie": "none", "key_dim": 8, "value_dim": 4, "feed_forward": FeedForward(8, "gelu")},
]
# On JAX the same options, as many at once as fit together: compiling a model takes ten seconds.
TOGETHER = [{**OPTIONS[1], **OPTIONS[3]}, {**OPTIONS[2], **OPTIONS[4], **OPTIONS[5]}]


@pytest.mark.parametrize("options", TOGETHER if ON_JAX else OPTIONS)
def test_it_is_a_model_like_any(options, tmp_path):
    check_model(lambda: Transformer(FEATURES, **SIZES, dropout=0.0, **options), text_batch(), (8, 5, 12), tmp_path)


def test_it_learns_and_writes_what_it_learned():
    model = Transformer(FEATURES, **SIZES, dropout=0.0)
    batch = text_batch()
    batch["inputs"][:, 0] = np.arange(2, 10)  # so that no two sources are the same
    weight = (batch["targets_segments"] > 0).astype("float32")
    check_learns(model, batch, batch["targets"], weight)
    wanted = batch["targets"][:, None]
    for search in (Greedy(), Beam(3)):
        found = model.generate(batch, search)["ids"]
        assert found.shape[2] <= 5
        same = (np.pad(found, [(0, 0), (0, 0), (0, 5 - found.shape[2])]) == wanted).all(axis=(1, 2))
        assert same.mean() > 0.8


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"norm": "post", "tie": "none", "positions": LearnedPositions(20)},
        {"attention": RelativeAttention(2, max_distance=2), "positions": NoPositions()},
    ],
)
def test_cached_tokens_are_those_of_full_recomputation(options):
    model, batch = random_model(**options), text_batch(rows=3)
    found = model.generate(batch, Greedy(), length=7)
    ids, scores = greedy_by_recomputation(model, batch, 7)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)


@pytest.mark.parametrize(
    ("penalty", "options"), [(0.0, {}), (0.8, {}), (0.8, {"attention": RelativeAttention(2, max_distance=2)})]
)
def test_cached_beams_are_those_of_full_recomputation(penalty, options):
    model, batch = random_model(**options), text_batch(rows=2)
    found = model.generate(batch, Beam(3, penalty), length=5)
    for row, (ids, score) in enumerate(beams_by_recomputation(model, batch, 3, penalty, 5)):
        assert found["ids"][row, 0, : len(ids)].tolist() == ids
        np.testing.assert_allclose(found["scores"][row, 0], score, rtol=1e-4)


def test_more_room_than_at_first():
    model, batch = random_model(), text_batch(rows=2)
    short = {name: value[:, :6] for name, value in batch.items()}
    long = {name: np.pad(value, [(0, 0), (0, 30)]) for name, value in short.items()}
    for search in (Greedy(), Beam(3)):
        first, second = (model.generate(given, search, length=24) for given in (short, long))
        np.testing.assert_array_equal(first["ids"], second["ids"])
        np.testing.assert_allclose(first["scores"], second["scores"], rtol=1e-4)


def random_model(**options):
    """A model with large weights, whose distributions are far from even."""
    model = Transformer(FEATURES, **SIZES, **options)
    model.build()
    random = np.random.default_rng(4)
    for path, weight in attribute_paths(model).items():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * (0.6 if "table" in path else 0.4))
    return model


def test_training_again_changes_what_is_decoded():
    model, batch = random_model(), text_batch(rows=2)
    before = model.generate(batch, length=5)["scores"]
    model.targets_embedding.table.assign(model.targets_embedding.table * 2)
    assert np.abs(model.generate(batch, length=5)["scores"] - before).max() > 1e-3


@pytest.mark.parametrize(
    ("tie", "inputs", "tables"),
    [
        ("all", Text(12), 1),
        ("all", Text(12, "other"), 2),
        ("all", Text(10), 2),
        ("output", Text(12), 2),
        ("none", Text(12), 3),
    ],
)
def test_who_shares_a_table(tie, inputs, tables):
    model = Transformer({"inputs": inputs, "targets": Text(12)}, **SIZES, tie=tie)
    model.build()
    assert sum(path.endswith("table") for path in attribute_paths(model)) == tables


@counted_on_tensorflow
def test_the_base_model_has_the_published_number_of_weights():
    text = Text(50)
    model = Transformer({"inputs": text, "targets": text, "target_space": Label(32)})
    model.build()
    assert model.count_params() + (32_768 - text.vocabulary_size) * 512 == 60_897_280


def test_parts_are_handed_in():
    model = Transformer(FEATURES, **SIZES, attention=Attention(4))
    block = model.decoder.layers[1]
    assert block.attention.sublayer.num_heads == 4
    assert block.cross_attention.sublayer.num_heads == 2


def test_a_saved_model_keeps_its_precision(tmp_path):
    features = {**FEATURES, "target_space": Label(3)}
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = Transformer(features, **SIZES, tie="none", attention=Attention(4))
        batch = {**text_batch(), "target_space": np.arange(8) % 3}
        logits = numbers(keras.ops.cast(model(batch), "float32"))
        model.save(tmp_path / "half.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    assert loaded.encoder.layers[0].attention.sublayer.compute_dtype == "bfloat16"
    assert {layer.compute_dtype for layer in loaded._flatten_layers()} == {"bfloat16"}
    np.testing.assert_array_equal(numbers(keras.ops.cast(loaded(batch), "float32")), logits)


@pytest.mark.parametrize("positions", [None, LearnedPositions(9)])
def test_positions_of_the_inputs_from_the_end_are_those_of_the_inputs_turned_round(positions):
    batch = text_batch()
    batch["inputs"] = np.array([[4, 5, 6, 7, 1], [8, 3, 1, 9, 1]])
    batch["inputs_segments"] = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 2, 2]], "int32")
    turned = {name: batch[name][:, ::-1].copy() for name in ("inputs", "inputs_segments")}
    from_end, from_start = (
        Transformer(FEATURES, **SIZES, positions=positions, input_positions=where)
        for where in ("from_end", "from_start")
    )
    for model in (from_end, from_start):
        model(text_batch())
    from_start.set_weights(from_end.get_weights())
    found, expected = (numbers(model.encode(rows).states) for model, rows in ((from_end, batch), (from_start, turned)))
    np.testing.assert_allclose(found, expected[:, ::-1], atol=1e-5)
    assert np.abs(found - numbers(from_start.encode(batch).states)).max() > 1e-2


def test_unknown_positions_of_the_inputs_are_refused():
    with pytest.raises(ValueError, match="input_positions: 'end' is unknown. Did you mean 'from_end'"):
        Transformer(FEATURES, **SIZES, input_positions="end")


def test_dropout_options():
    model = Transformer(FEATURES, **SIZES, dropout=0.3, attention_dropout=0.1, activation_dropout=0.0)
    block = model.decoder.layers[0]
    assert block.attention.dropout.rate == model.encoder.dropout.rate == 0.3
    assert block.cross_attention.sublayer.dropout.rate == 0.1
    assert block.feed_forward.sublayer.dropout.rate == 0.0


def test_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="num_heads: 6 heads do not divide hidden_dim 16. Choose 1, 2, 4, 8 or 16."):
        Transformer(FEATURES, hidden_dim=16, num_heads=6)


@pytest.mark.parametrize("model", [Transformer, TransformerLM])
def test_a_misspelt_way_to_tie_is_refused(model):
    with pytest.raises(ValueError, match="tie: 'outputs' is unknown. Did you mean 'output'"):
        model(FEATURES, hidden_dim=16, num_heads=4, tie="outputs")


def test_what_is_decoded_ends_with_zeros():
    ids = random_model().generate(text_batch(rows=4), Beam(2), length=9)["ids"]
    for row in ids[:, 0].tolist():
        if END in row:
            assert not any(row[row.index(END) + 1 :])


@pytest.mark.skipif(ON_JAX, reason="layers/test_recomputation.py compares the gradients on JAX")
def test_fit_learns_the_same_with_what_is_computed_again():
    batch, weights, losses = text_batch(), [], []
    for recompute in (False, True):
        keras.utils.set_random_seed(3)
        model = Transformer(FEATURES, **SIZES, dropout=0.2, recompute=recompute)
        model.build()
        model.compile(keras.optimizers.SGD(0.1), loss=CrossEntropy(), seed=5)
        losses.append(
            model.fit(batch, batch["targets"], batch_size=4, epochs=2, shuffle=False, verbose=0).history["loss"]
        )
        weights.append(model.get_weights())
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-6)
    for again, kept in zip(weights[1], weights[0], strict=True):
        np.testing.assert_allclose(again, kept, atol=1e-6)
