"""Models with each kind of feed-forward network: cached tokens are recomputed ones, packed rows are padded ones."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import forward, numbers
from model_harness import greedy_by_recomputation, text_batch

from kt2t.decoding import Greedy
from kt2t.features import Text
from kt2t.layers import (
    CapacityLimitedExperts,
    ConvolutionalFeedForward,
    GatedFeedForward,
    MixtureOfExperts,
    ParameterAttention,
    SeparableFeedForward,
)
from kt2t.losses import CrossEntropy
from kt2t.models import Transformer, TransformerLM
from kt2t.ops.paths import attribute_paths

BOTH = {"inputs": Text(12), "targets": Text(12)}
SIZES = {"num_layers": 1, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2, "dropout": 0.0}
KINDS = {
    "gated": GatedFeedForward(12),
    "convolutional": ConvolutionalFeedForward(12, 3, 2),
    "separable": SeparableFeedForward(12, 3, 4),
    "parameters": ParameterAttention(12, 2),
    "experts": MixtureOfExperts(4, 12),
    "limited experts": CapacityLimitedExperts(4, 12),
}


def random_model(kind):
    model = Transformer(BOTH, **SIZES, feed_forward=KINDS[kind])
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.5)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_cached_is_recomputed_and_packed_is_padded(kind):
    model, batch = random_model(kind), text_batch(rows=2)
    found = model.generate(batch, Greedy(), length=6)
    ids, scores = greedy_by_recomputation(model, batch, 6)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
    pairs = [([5, 6, 1], [7, 8, 9, 1]), ([9, 4, 1], [4, 1])]
    packed = {"inputs": [], "inputs_segments": [], "targets": [], "targets_segments": []}
    for number, pair in enumerate(pairs, 1):
        for field, tokens in zip(("inputs", "targets"), pair, strict=True):
            packed[field] += tokens
            packed[f"{field}_segments"] += [number] * len(tokens)
    logits = numbers(forward(model)({name: np.array([tokens + [0, 0]]) for name, tokens in packed.items()}))[0]
    for number, (source, target) in enumerate(pairs, 1):
        alone = numbers(forward(model)({"inputs": np.array([source]), "targets": np.array([target])}))[0]
        here = np.array(packed["targets_segments"]) == number
        np.testing.assert_allclose(logits[: len(here)][here], alone, rtol=1e-4, atol=1e-4)


def test_what_convolves_does_not_take_inputs_in_front():
    with pytest.raises(ValueError, match="feed_forward: SeparableFeedForward would take the padding"):
        TransformerLM(BOTH, **SIZES, feed_forward=SeparableFeedForward(12))


def test_the_share_over_capacity_is_in_the_logs_of_training_and_evaluation():
    """The mean over the blocks; every token chooses the same two of four experts, which have room for half of them."""
    model, batch = Transformer(BOTH, **SIZES, feed_forward=CapacityLimitedExperts(4, 12)), text_batch()
    model.compile(keras.optimizers.SGD(0.0), loss=CrossEntropy())
    model.build()
    for stack in (model.encoder, model.decoder):
        stack.layers[0].feed_forward.sublayer.gate.set_weights([np.zeros((16, 4)), np.array([9.0, 8.0, 0.0, 0.0])])
    given = {"y": batch["targets"], "sample_weight": (batch["targets_segments"] > 0).astype("float32")}
    logs = model.fit(batch, **given, batch_size=8, verbose=0).history
    assert 0.2 < logs["over_capacity"][0] < 0.8
    assert logs["auxiliary_loss"][0] > 0
    assert model.evaluate(batch, **given, batch_size=8, verbose=0, return_dict=True)["over_capacity"] == 0
