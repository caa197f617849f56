"""Every kind of attention inside models: packed rows train as padded ones, cached tokens are recomputed tokens."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import ON_JAX, forward, numbers
from model_harness import greedy_by_recomputation

from kt2t.decoding import Beam, Greedy
from kt2t.features import Tags, Text
from kt2t.layers import (
    ALiBiAttention,
    AreaAttention,
    Attention,
    BlockPooling,
    DilatedAttention,
    LocalAttention,
    MemoryCompressedAttention,
    NoPositions,
    RotaryAttention,
)
from kt2t.models import Transformer, TransformerEncoder, TransformerLM
from kt2t.ops.paths import attribute_paths

SIZES = {"num_layers": 1, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2, "dropout": 0.0}
KINDS = {
    "area": AreaAttention(2, 2),
    "local": LocalAttention(2, 2),
    "dilated": DilatedAttention(2, 2, 1, gap=1, num_memories=2),
    "compressed": MemoryCompressedAttention(2, 2, BlockPooling(2), activation="silu"),
    "rotary": RotaryAttention(2, 1),
    "in turn": [LocalAttention(2, 2), MemoryCompressedAttention(2, 2)],
}
PROMPTS = {"targets": np.array([[4, 5, 6], [7, 9, 9]]), "targets_segments": np.array([[1, 1, 1], [1, 0, 0]])}


def language_model(kind):
    sizes = {**SIZES, "num_layers": 3 if kind == "in turn" else 1}
    model = TransformerLM({"targets": Text(12)}, **sizes, attention=KINDS[kind], positions=NoPositions())
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.5)
    return model


# On JAX, where compiling a search takes long, two that have the others' parts; each layer's own tests step there as well.
@pytest.mark.parametrize("kind", ["area", "in turn"] if ON_JAX else KINDS)
def test_cached_is_recomputed_and_packed_is_padded(kind):
    model = language_model(kind)
    found = model.generate(PROMPTS, Greedy(), length=9)
    prompt = PROMPTS["targets"] * PROMPTS["targets_segments"]
    ids, scores = greedy_by_recomputation(model, {"targets": PROMPTS["targets"]}, 9, prompt)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)

    lengths, random = [4, 1, 6], np.random.default_rng(0)
    packed = np.zeros((1, 12), "int32")
    padded = np.zeros((3, 12), "int32")
    segments = np.zeros((1, 12), "int32")
    start = 0
    for row, length in enumerate(lengths):
        padded[row, :length] = packed[0, start : start + length] = random.integers(2, 12, length)
        segments[0, start : start + length] = row + 1
        start += length
    call = forward(model, training=True)
    apart = numbers(call({"targets": padded, "targets_segments": (padded > 0).astype("int32")}))
    together = numbers(call({"targets": np.repeat(packed, 3, 0), "targets_segments": np.repeat(segments, 3, 0)}))[0]
    wanted = np.concatenate([apart[row, :length] for row, length in enumerate(lengths)])
    np.testing.assert_allclose(together[:start], wanted, atol=2e-5 * np.abs(wanted).max())


def test_it_serves_encoder_and_decoder_under_beam_search():
    features = {"inputs": Text(12), "targets": Text(12)}
    keras.utils.set_random_seed(1)
    model = Transformer(features, **SIZES, attention=KINDS["local"])
    batch = {"inputs": np.array([[3, 4, 5, 6, 1], [5, 4, 1, 0, 0]])}
    ids = model.generate(batch, Beam(3, n_best=2), length=6)["ids"]
    assert ids.shape[:2] == (2, 2)


def test_padding_changes_nothing_in_an_encoder():
    model = TransformerEncoder({"inputs": Text(12), "targets": Tags(4)}, **SIZES, attention=KINDS["local"])
    model.build()
    ids = np.array([[3, 4, 5, 6, 7, 1, 0, 0]])
    found = numbers(forward(model)({"inputs": ids, "inputs_segments": (ids > 0).astype("int32")}))
    short = numbers(forward(model)({"inputs": ids[:, :6], "inputs_segments": np.ones((1, 6), "int32")}))
    np.testing.assert_allclose(found[:, :6], short, atol=1e-5)


@pytest.mark.parametrize("kind", [LocalAttention(2, 2), MemoryCompressedAttention(2), ALiBiAttention(2)])
def test_inputs_in_front_are_refused_where_padding_would_be_counted(kind):
    features = {"inputs": Text(12), "targets": Text(12)}
    with pytest.raises(ValueError, match=f"attention: {type(kind).__name__} would count the padding"):
        TransformerLM(features, **SIZES, attention=kind)
    with pytest.raises(ValueError, match=f"attention: {type(kind).__name__} would count the padding"):
        TransformerLM(features, **SIZES, attention=[Attention(2), kind])
