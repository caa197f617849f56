"""Which weights are drawn, in which order, beside which words."""

from __future__ import annotations

import numpy as np
import pytest

import kt2t.callbacks.views.attention as module
from kt2t.callbacks import AttentionMaps
from kt2t.callbacks.views.attention import capture_weights, grouped, kind_of

HEADS, SOURCE, TARGET = 2, 5, 4


class FakeProblem:
    def sample(self, n):
        return {
            "inputs": np.array([[5, 6, 1, 0, 0], [7, 8, 9, 5, 1]], "int32"),
            "inputs_segments": np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], "int32"),
            "targets": np.array([[3, 4, 1, 0], [3, 1, 4, 1]], "int32"),
            "targets_segments": np.array([[1, 1, 1, 0], [1, 1, 2, 2]], "int32"),
        }

    def decode(self, field, ids):
        return f"{field[0]}{ids[0]}" if ids[0] != 9 else ""


def weights(queries, keys, mark):
    return np.full((2, HEADS, queries, keys), mark, "float32")


@pytest.fixture
def drawn(monkeypatch):
    """What `draw` was asked for, and a model whose taps show twelve layers out of order."""
    seen = {f"encoder.layers.{i}.attention.tap": weights(SOURCE, SOURCE, i) for i in (10, 2, 0, 1, *range(3, 10), 11)}
    seen |= {f"decoder.layers.{i}.self_attention.tap": weights(TARGET, TARGET, i) for i in (1, 0)}
    seen |= {f"decoder.layers.{i}.cross_attention.tap": weights(TARGET, SOURCE, i) for i in (0, 1)}
    monkeypatch.setattr(module, "capture_weights", lambda model, features: seen)
    calls = {}

    def draw(layers, queries, keys, title, axes):
        calls[title] = (layers, queries, keys, axes)
        return b"png"

    monkeypatch.setattr(module, "draw", draw)
    return calls


def test_layers_come_in_the_order_of_their_numbers():
    paths = [f"encoder.layers.{i}.tap" for i in (10, 9, 1, 0, 2)]
    layers = grouped({path: np.full((1, 1, 2, 2), int(path.split(".")[2])) for path in paths})["encoder"]
    assert layers[:, 0, 0, 0, 0].tolist() == [0, 1, 2, 9, 10]


def test_a_layer_of_another_shape_is_left_out():
    found = grouped({"encoder.0": np.zeros((1, 2, 3, 3)), "encoder.1": np.zeros((1, 4, 3, 3))})
    assert found["encoder"].shape == (1, 1, 2, 3, 3)


@pytest.mark.parametrize(
    ("path", "kind"),
    [("encoder.layers.0.attention.tap", "encoder"), ("decoder.blocks.1.self_attention.sublayer.tap", "decoder"),
     ("decoder.blocks.1.memory_attention.sublayer.tap", "cross"), ("decoder.0.cross.tap", "cross"), ("tap", "encoder")],
)  # fmt: skip
def test_kinds(path, kind):
    assert kind_of(path) == kind


def test_words_are_the_real_ones_and_the_decoder_reads_what_was_written_before(drawn):
    pictures = AttentionMaps(FakeProblem(), examples=2).render(model=None)
    assert set(pictures) == {f"attention/{kind}_example_{row}" for kind in ("encoder", "decoder", "cross") for row in (1, 2)}
    layers, queries, keys, _ = drawn["encoder attention · example 1"]
    assert queries == keys == ["i5", "i6", "⟨end⟩"]
    assert layers.shape == (12, HEADS, SOURCE, SOURCE) and layers[:, 0, 0, 0].tolist() == list(range(12))
    _, queries, keys, axes = drawn["decoder attention · example 1"]
    assert (queries, keys) == (["t3", "t4", "⟨end⟩"], ["⟨start⟩", "t3", "t4"])
    assert axes == ("writing", "attends to")
    _, queries, keys, _ = drawn["cross attention · example 1"]
    assert (queries, keys) == (["t3", "t4", "⟨end⟩"], ["i5", "i6", "⟨end⟩"])


def test_of_a_packed_row_the_first_example_is_drawn(drawn):
    AttentionMaps(FakeProblem(), examples=2).render(model=None)
    assert drawn["cross attention · example 2"][1:3] == (["t3", "⟨end⟩"], ["i7", "i8", "9", "i5", "⟨end⟩"])


def test_without_a_problem_tokens_are_numbers(drawn):
    AttentionMaps(sample=FakeProblem().sample(2)).render(model=None)
    assert drawn["encoder attention · example 1"][1] == ["5", "6", "⟨end⟩"]


def test_capture_gives_what_the_model_attends_to():
    """A softmax over products, worked out by hand, for every example of the batch."""
    import keras

    from kt2t.layers.tap import Tap

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder_tap, self.other = Tap(kind="attention"), Tap()

        def call(self, features, training=None):
            x = keras.ops.cast(features["inputs"], "float32")[:, :, None]
            scores = keras.ops.matmul(x, keras.ops.swapaxes(x, 1, 2))[:, None]
            self.other(scores)  # as many axes, but no weights
            return keras.ops.matmul(self.encoder_tap(keras.ops.softmax(scores)), x[:, None])[:, 0]

    inputs = np.array([[1, 2, 0], [3, 1, 1]], "int32")
    (seen,) = capture_weights(Model(), {"inputs": inputs}).values()
    powers = np.exp((inputs[:, :, None] * inputs[:, None, :]).astype(float))
    np.testing.assert_allclose(seen[:, 0], powers / powers.sum(-1, keepdims=True), rtol=1e-5)


def test_files_and_options(drawn, tmp_path):
    from types import SimpleNamespace

    callback = AttentionMaps(FakeProblem(), folder=tmp_path)
    callback.set_model(SimpleNamespace(optimizer=SimpleNamespace(iterations=30)))
    callback.on_epoch_end(0)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png"))
    assert found == [f"step-30/attention-{kind}_example_1.png" for kind in ("cross", "decoder", "encoder")]
    with pytest.raises(ValueError, match="problem: attention maps need"):
        AttentionMaps()
    with pytest.raises(ValueError, match="examples: 9 is not from 1 to 8"):
        AttentionMaps(FakeProblem(), examples=9)


def test_inputs_in_front_of_the_targets_are_named_and_their_padding_left_out(drawn, monkeypatch):
    length = 1 + SOURCE + TARGET
    seen = np.broadcast_to(np.arange(length), (2, HEADS, length, length)).astype("float32")
    monkeypatch.setattr(module, "capture_weights", lambda model, features: {"decoder.layers.0.attention.tap": seen})
    assert list(AttentionMaps(FakeProblem()).render(None)) == ["attention/decoder_example_1"]
    layers, queries, keys, _ = drawn["decoder attention · example 1"]
    words = ["⟨start⟩", "i5", "i6", "⟨end⟩", "⟨start⟩", "t3", "t4"]
    assert queries == keys == words
    assert layers.shape == (1, HEADS, 7, 7)
    assert layers[0, 0, 0].tolist() == [0, 1, 2, 3, 6, 7, 8]


def test_pieces_of_a_picture_or_a_sound_are_numbered(drawn):
    for inputs in (np.zeros((2, 8, 8, 1), "uint8"), np.zeros((2, 1000), "float32")):
        sample = {"inputs": inputs, "targets": {"kind": np.zeros(2)}}
        AttentionMaps(sample=sample).render(model=None)
        _, queries, keys, _ = drawn["encoder attention · example 1"]
        assert queries == keys == ["1", "2", "3", "4", "5"]
