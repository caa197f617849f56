"""The LSTM encoder-decoder as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from harness import ON_JAX, counted_on_tensorflow, forward, numbers
from model_harness import (
    beams_by_recomputation,
    check_learns,
    check_model,
    greedy_by_recomputation,
    text_batch,
)

from kt2t.decoding import Beam, Greedy
from kt2t.features import Label, Text
from kt2t.layers import Attention, BahdanauAttention, GRUStack, LuongAttention
from kt2t.models import EncoderDecoder, LSTMSeq2Seq
from kt2t.ops.paths import attribute_paths

FEATURES = {"inputs": Text(12), "targets": Text(12)}
SIZES = {"num_layers": 2, "hidden_dim": 16, "dropout": 0.0}


def random_model(**options):
    model = LSTMSeq2Seq(FEATURES, **SIZES, **options)
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.6)
    return model


def test_it_is_a_model_like_any(tmp_path):
    model = check_model(lambda: LSTMSeq2Seq(FEATURES, **SIZES), text_batch(), (8, 5, 12), tmp_path)
    assert model.count_params() == 3 * 12 * 16 + 4 * (2 * 16 * 64 + 64)


@pytest.mark.skipif(ON_JAX, reason="the golden numbers have its gradients there, other tests its packed rows and steps")
def test_with_attention_it_is_a_model_like_any(tmp_path):
    options = {"bidirectional": True, "attention": BahdanauAttention(2, 8)}
    model = check_model(lambda: LSTMSeq2Seq(FEATURES, **SIZES, **options), text_batch(), (8, 5, 12), tmp_path)
    tables, encoder, decoder = 3 * 12 * 16 + 12 * 16, 4 * (32 * 64 + 64), (64 * 128 + 128) + (64 * 128 + 128)
    attention = 2 * 32 * 32 + 32 + 64 * 16 + 16 * 32 + 32
    assert model.count_params() == tables + encoder + decoder + attention


@counted_on_tensorflow
def test_the_sizes_of_tensor2tensor():
    """13,109,248 weights with 32,768 words: two stacks of two LSTMs, and three tables."""
    model = LSTMSeq2Seq({"inputs": Text(32_768), "targets": Text(32_768)})
    model.build()
    assert model.count_params() == 13_109_248


@pytest.mark.skipif(ON_JAX, reason="gradients are checked there by the golden numbers, and the reader learns there")
def test_it_learns_and_writes_what_it_learned():
    model, batch = LSTMSeq2Seq(FEATURES, num_layers=1, hidden_dim=32, dropout=0.0), text_batch()
    batch["inputs"][:, 0] = np.arange(2, 10)
    weight = (batch["targets_segments"] > 0).astype("float32")
    check_learns(model, batch, batch["targets"], weight, steps=120)
    found = model.generate(batch, Greedy())["ids"][:, 0]
    same = (np.pad(found, [(0, 0), (0, 5)])[:, :5] == batch["targets"]).all(axis=1)
    assert same.mean() > 0.8


WHOLE = {"bidirectional": True, "attention": LuongAttention(2, 8), "stack": GRUStack(2, 8)}


def test_cached_beams_are_those_of_full_recomputation():
    model, batch = random_model(**WHOLE), text_batch(rows=3)
    found = model.generate(batch, Beam(3, 0.8), length=5)
    for row, (best, score) in enumerate(beams_by_recomputation(model, batch, 3, 0.8, 5)):
        assert found["ids"][row, 0, : len(best)].tolist() == best
        np.testing.assert_allclose(found["scores"][row, 0], score, rtol=1e-4)


@pytest.mark.skipif(ON_JAX, reason="beams are checked there")
def test_cached_tokens_are_those_of_full_recomputation():
    model, batch = random_model(), text_batch(rows=3)
    found = model.generate(batch, Greedy(), length=7)
    ids, scores = greedy_by_recomputation(model, batch, 7)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)


@pytest.mark.skipif(ON_JAX, reason="JAX has a graph for each width")
def test_sources_of_any_width_are_decoded_by_one_graph():
    """From the second width on the graph does not know how many positions there are."""
    model, batch = random_model(), text_batch(rows=2)
    wanted = model.generate(batch, Greedy(), length=5)
    for room in (10, 20):
        wide = {name: np.pad(value, [(0, 0), (0, room)]) for name, value in batch.items()}
        found = model.generate(wide, Greedy(), length=5)
        assert found["ids"].tolist() == wanted["ids"].tolist()


@pytest.mark.parametrize("options", [{}, {"reverse_inputs": False}, WHOLE], ids=["reversed", "forward", "attention"])
def test_packed_is_padded(options):
    if ON_JAX and options is not WHOLE:
        pytest.skip("the layers are checked there")
    model = random_model(**options)
    pairs = [([5, 6, 1], [7, 8, 9, 1]), ([9, 1], [4, 1]), ([3, 4, 1], [1])]
    packed = {"inputs": [], "inputs_segments": [], "targets": [], "targets_segments": []}
    for number, pair in enumerate(pairs, 1):
        for field, ids in zip(("inputs", "targets"), pair, strict=True):
            packed[field] += ids
            packed[f"{field}_segments"] += [number] * len(ids)
    logits = numbers(forward(model)({name: np.array([ids + [0, 0]]) for name, ids in packed.items()}))[0]
    for number, (source, target) in enumerate(pairs, 1):
        alone = numbers(forward(model)({"inputs": np.array([source]), "targets": np.array([target])}))[0]
        here = np.array(packed["targets_segments"]) == number
        np.testing.assert_allclose(logits[: len(here)][here], alone, atol=1e-5)


def test_what_it_does_not_read():
    with pytest.raises(ValueError, match="LSTMSeq2Seq writes Text, and the targets are Label"):
        LSTMSeq2Seq({"inputs": Text(12), "targets": Label(3)})
    with pytest.raises(ValueError, match="LSTMSeq2Seq reads 'inputs'"):
        LSTMSeq2Seq({"targets": Text(12)})


def test_padding_that_the_attention_sees_is_not_for_packed_rows():
    assert LSTMSeq2Seq(FEATURES, **SIZES, attention=LuongAttention()).takes_packed_rows
    assert not LSTMSeq2Seq(FEATURES, **SIZES, attention=LuongAttention(), include_padding=True).takes_packed_rows


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="attention: Attention is no attention of a recurrent decoder. Use Bahdanau"):
        LSTMSeq2Seq(FEATURES, attention=Attention(2))
    with pytest.raises(ValueError, match="stack: Attention is no stack of recurrent layers. Use LSTMStack or GRUStack"):
        LSTMSeq2Seq(FEATURES, stack=Attention(2))
    with pytest.raises(ValueError, match="include_padding: only an attention sees padding"):
        LSTMSeq2Seq(FEATURES, include_padding=True)
    with pytest.raises(
        ValueError, match="tie: output needs a decoder as wide as its embeddings, and it is 32 wide, they 16"
    ):
        LSTMSeq2Seq(FEATURES, **SIZES, bidirectional=True, tie="output")
    with pytest.raises(ValueError, match="memory: the encoder returns 16 numbers .* GRUStack starts from 32"):
        EncoderDecoder(FEATURES, GRUStack(2, 16), GRUStack(2, 16, memory="start"), 16).build()
