"""A language model that reads inputs in front of its targets."""

from __future__ import annotations

import numpy as np
import pytest
from harness import forward, numbers
from model_harness import (
    beams_by_recomputation,
    check_learns,
    check_model,
    greedy_by_recomputation,
    text_batch,
)

from kt2t.decoding import Beam, Greedy
from kt2t.features import Label, Text
from kt2t.layers import LSTMStack
from kt2t.models import LanguageModel, TransformerLM
from kt2t.ops.paths import attribute_paths

SIZES = {"num_layers": 2, "hidden_dim": 16, "intermediate_dim": 24, "num_heads": 2}
FEATURES = {"targets": Text(12)}
BOTH = {"inputs": Text(12), "targets": Text(12)}


def random_model(features=FEATURES, **options):
    model = TransformerLM(features, **SIZES, **options)
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.5)
    return model


@pytest.mark.parametrize(("prefix", "tie"), [("causal", "all"), ("full", "none")])
def test_with_inputs_it_is_a_model_like_any(prefix, tie, tmp_path):
    make = lambda: TransformerLM(BOTH, **SIZES, dropout=0.0, tie=tie, prefix=prefix)  # noqa: E731
    check_model(make, text_batch(), (8, 5, 12), tmp_path)


def test_with_inputs_it_learns():
    given = text_batch()
    given["inputs"][:, 0] = np.arange(2, 10)
    weight = (given["targets_segments"] > 0).astype("float32")
    check_learns(TransformerLM(BOTH, **SIZES, dropout=0.0, prefix="full"), given, given["targets"], weight)


@pytest.mark.parametrize("prefix", ["causal", "full"])
def test_it_answers_to_inputs_as_full_recomputation_does(prefix):
    model = random_model(BOTH, prefix=prefix)
    sources = {name: value for name, value in text_batch().items() if name.startswith("inputs")}
    found = model.generate(sources, Greedy(), length=20)  # beyond the room that there is at first
    ids, scores = greedy_by_recomputation(model, sources, 20)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
    found = model.generate(sources, Beam(3, 0.6), length=9)
    for row, (best, score) in enumerate(beams_by_recomputation(model, sources, 3, 0.6, 9)):
        assert [token for token in found["ids"][row, 0].tolist() if token] == best
        np.testing.assert_allclose(found["scores"][row, 0], score, rtol=1e-4)


def test_causal_inputs_are_one_text_with_the_targets():
    """A model of texts alone, given inputs, a zero and targets as one text, says the same behind the zero."""
    alone, model = random_model(), random_model(BOTH)
    source, written = np.array([[4, 7, 1]], "int32"), np.array([[5, 6, 9, 1]], "int32")
    whole = {"targets": np.concatenate([source, [[0]], written], axis=1).astype("int32")}
    expected = numbers(alone({**whole, "targets_segments": np.ones((1, 8), "int32")}))[:, 4:]
    np.testing.assert_allclose(numbers(forward(model)({"inputs": source, "targets": written})), expected, atol=1e-5)


@pytest.mark.parametrize("prefix", ["causal", "full"])
def test_padding_behind_the_inputs_changes_nothing(prefix):
    model, given = random_model(BOTH, prefix=prefix), text_batch()
    wide = {name: np.pad(value, [(0, 0), (0, 3 if name.startswith("inputs") else 0)]) for name, value in given.items()}
    real = given["targets_segments"] > 0
    np.testing.assert_allclose(numbers(forward(model)(wide))[real], numbers(forward(model)(given))[real], atol=1e-4)


def test_packed_causal_rows_are_like_rows_of_their_own():
    model = random_model(BOTH)
    rows = [([4, 1], [5, 6, 1]), ([7, 8, 1], [9, 1])]
    alone = [numbers(forward(model)({"inputs": np.array([x]), "targets": np.array([y])}))[0] for x, y in rows]
    packed = {
        "inputs": np.array([[4, 1, 7, 8, 1]]),
        "inputs_segments": np.array([[1, 1, 2, 2, 2]]),
        "targets": np.array([[5, 6, 1, 9, 1]]),
        "targets_segments": np.array([[1, 1, 1, 2, 2]]),
    }
    np.testing.assert_allclose(numbers(forward(model)(packed))[0], np.concatenate(alone), atol=1e-5)


def test_only_a_full_prefix_sees_what_follows_within_it():
    given = {"inputs": np.array([[4, 5, 6]]), "targets": np.array([[7, 1]])}
    for prefix, sees in (("causal", False), ("full", True)):
        model = random_model(BOTH, prefix=prefix)
        assert model.takes_packed_rows != sees
        states = model.encode(given).states
        cache = model.start(model.encode(given), given, 1, 1)
        changed = model.start(model.encode({**given, "inputs": np.array([[4, 5, 9]])}), given, 1, 1)
        key = "history/decoder.1.attention.keys"
        first = [numbers(one.flat()[key])[:, :, :3] for one in (cache, changed)]
        assert states.shape == (1, 4, 16)
        assert (np.abs(first[0] - first[1]).max() > 1e-3) == sees


def test_inputs_that_are_no_sequence_and_an_unknown_prefix_are_refused():
    with pytest.raises(ValueError, match="as one sequence, and Label\\(num_classes=3\\) is none"):
        TransformerLM({"inputs": Label(3), "targets": Text(12)}, **SIZES)
    with pytest.raises(ValueError, match="prefix: 'both' is unknown. There are: causal, full"):
        TransformerLM(FEATURES, **SIZES, prefix="both")


def lstm_model(features):
    model = LanguageModel(features, LSTMStack(2, 8), hidden_dim=8)
    model.build()
    random = np.random.default_rng(4)
    for weight in attribute_paths(model).values():
        weight.assign(random.normal(size=tuple(weight.shape)).astype("float32") * 0.7)
    return model


def test_any_sequence_is_a_language_model():
    model = lstm_model(FEATURES)
    assert model.takes_packed_rows
    batch = {"targets": np.array([[5, 6, 1, 7, 1, 0]]), "targets_segments": np.array([[1, 1, 1, 2, 2, 0]])}
    logits = numbers(forward(model)(batch))
    for start, end in ((0, 3), (3, 5)):
        alone = numbers(forward(model)({"targets": batch["targets"][:, start:end]}))
        np.testing.assert_allclose(logits[:, start:end], alone, atol=1e-5)


def test_any_sequence_answers_to_inputs_in_front():
    model = lstm_model(BOTH)
    assert not model.takes_packed_rows
    sources = {name: value for name, value in text_batch(rows=3).items() if name.startswith("inputs")}
    found = model.generate(sources, Greedy(), length=6)
    ids, scores = greedy_by_recomputation(model, sources, 6)
    assert found["ids"][:, 0].tolist() == ids[:, : found["ids"].shape[2]].tolist()
    np.testing.assert_allclose(found["scores"][:, 0], scores, rtol=1e-4)
    found = model.generate(sources, Beam(3, 0.6), length=5)
    for row, (best, score) in enumerate(beams_by_recomputation(model, sources, 3, 0.6, 5)):
        assert [token for token in found["ids"][row, 0].tolist() if token] == best
        np.testing.assert_allclose(found["scores"][row, 0], score, rtol=1e-4)
