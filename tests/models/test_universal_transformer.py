"""The Universal Transformer as a whole. `golden/` has its numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import ON_JAX, counted_on_tensorflow
from model_harness import beams_by_recomputation, check_learns, check_model, greedy_by_recomputation, text_batch

from kt2t.decoding import Beam, Greedy
from kt2t.features import Label, Text
from kt2t.layers import AdaptiveRecurrence, GlobalRecurrence
from kt2t.losses import CrossEntropy
from kt2t.models import UniversalTransformer
from kt2t.ops.paths import attribute_paths

FEATURES = {"inputs": Text(12), "targets": Text(12)}
SIZES = {"num_steps": 2, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2}


def random_model():
    """A model with large weights, whose distributions are far from even."""
    model = UniversalTransformer(FEATURES, **SIZES, recurrence=AdaptiveRecurrence())
    model.build()
    random = np.random.default_rng(4)
    for path, weight in attribute_paths(model).items():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * (0.6 if "table" in path else 0.4))
    return model


def test_it_is_a_model_like_any(tmp_path):
    check_model(lambda: UniversalTransformer(FEATURES, **SIZES, dropout=0.0), text_batch(), (8, 5, 12), tmp_path)


@counted_on_tensorflow
def test_tensor2tensors_set_has_its_number_of_weights():
    """universal_transformer_base: 62,984,192 with 32,768 words, one table and 32 target spaces."""
    text = Text(50)
    sizes = {"hidden_dim": 1024, "intermediate_dim": 4096, "num_heads": 16}
    model = UniversalTransformer({"inputs": text, "targets": text, "target_space": Label(32)}, **sizes)
    model.build()
    assert model.count_params() + (32_768 - 50) * 1024 == 62_984_192


def test_cached_is_recomputed():
    model, batch = random_model(), text_batch(rows=2)
    found = model.generate(batch, Greedy(), length=6)
    ids, scores = greedy_by_recomputation(model, batch, 6)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
    found = model.generate(batch, Beam(3, 0.8), length=5)
    for row, (ids, score) in enumerate(beams_by_recomputation(model, batch, 3, 0.8, 5)):
        assert found["ids"][row, 0, : len(ids)].tolist() == ids
        np.testing.assert_allclose(found["scores"][row, 0], score, rtol=1e-4)


@pytest.mark.skipif(ON_JAX, reason="training it takes long to compile; its gradients are checked in golden/")
def test_it_learns():
    model, batch = UniversalTransformer(FEATURES, **SIZES, dropout=0.0), text_batch()
    batch["inputs"][:, 0] = np.arange(2, 10)  # so that no two sources are the same
    check_learns(model, batch, batch["targets"], (batch["targets_segments"] > 0).astype("float32"))


def test_the_ponder_time_is_in_the_logs_of_training_and_evaluation():
    model, batch = UniversalTransformer(FEATURES, **SIZES, recurrence=AdaptiveRecurrence()), text_batch()
    model.compile(keras.optimizers.SGD(0.0), loss=CrossEntropy())
    given = {"y": batch["targets"], "sample_weight": (batch["targets_segments"] > 0).astype("float32")}
    logs = model.fit(batch, **given, batch_size=8, verbose=0).history
    assert 1 <= logs["ponder_time"][0] <= 2 and logs["auxiliary_loss"][0] > 0
    assert 1 <= model.evaluate(batch, **given, batch_size=8, verbose=0, return_dict=True)["ponder_time"] <= 2


def test_a_decoder_that_would_read_later_positions_is_refused():
    with pytest.raises(
        ValueError, match="recurrence: GlobalRecurrence reads later positions.*Give a decoder_recurrence"
    ):
        UniversalTransformer(FEATURES, **SIZES, recurrence=GlobalRecurrence())
    model = UniversalTransformer(
        FEATURES, **SIZES, recurrence=GlobalRecurrence(), decoder_recurrence=AdaptiveRecurrence()
    )
    assert type(model.encoder.recurrence) is GlobalRecurrence and type(model.decoder.recurrence) is AdaptiveRecurrence
