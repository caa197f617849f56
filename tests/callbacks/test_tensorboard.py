"""What a run looks like in TensorBoard, read back by its own reader."""

from __future__ import annotations

import numpy as np
import pytest

import kt2t.callbacks.views.attention as attention_maps
from kt2t.callbacks import TensorBoard, View
from kt2t.data.pictures import png

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def read(folder):
    return accumulator.EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0, "scalars": 0}).Reload()


def curve(folder, tag):
    return {point.step: point.value for point in read(folder).Scalars(tag)}


class FakeProblem:
    def sample(self, n):
        return {"inputs": np.full((n, 3), 5, "int32"), "targets": np.full((n, 2), 6, "int32")}

    def decode(self, field, ids):
        return f"{field} {int(np.ravel(ids)[0])} | ü"

    def written(self, field, decoded):
        return decoded

    def views(self):
        return [{"type": "DecodedText"}, {"type": "AttentionMaps", "examples": 2}]


class FakeModel:
    """Losses 1, 2, 3, … of one weighted token each; the logs hold the mean since the epoch began, as Keras's do."""

    tokens_seen: float | None = 0.0
    stop_signal = None

    def __init__(self, step=0):
        self.optimizer = type("Optimizer", (), {"iterations": step, "learning_rate": 0.5})()

    def answer(self, features, search=None):
        return {"values": features["inputs"][:, None] + 2}


@pytest.fixture(autouse=True)
def taps(monkeypatch):
    shown = {"encoder.0.tap": np.full((2, 1, 3, 3), 1 / 3), "decoder.0.tap": np.full((2, 1, 2, 2), 1 / 2)}
    monkeypatch.setattr(attention_maps, "capture_weights", lambda model, features: shown)


def train(callback, model, epochs=2, steps=10, validated=None):
    callback.set_model(model)
    callback.on_train_begin()
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch)
        losses = []
        for batch in range(steps):
            model.optimizer.iterations += 1
            if model.tokens_seen is not None:
                model.tokens_seen += 1.0
            losses.append(float(model.optimizer.iterations))
            logs = {"loss": np.float32(np.mean(losses)), "gradient_norm": 2.0, "token_accuracy": 0.25}
            callback.on_train_batch_end(batch, logs)
        callback.on_epoch_end(epoch, {**logs, "val_loss": 1.5, "validation_bleu": 20.0 + epoch, **(validated or {})})
    callback.on_train_end()


def test_curves(tmp_path):
    train(TensorBoard(tmp_path, every=4), FakeModel())
    loss = curve(tmp_path / "train", "train/loss")
    # the mean of the losses since the last point: 1..4, 5..8, 9..10, 11..12, 13..16, 17..20
    assert loss == pytest.approx({4: 2.5, 8: 6.5, 10: 9.5, 12: 11.5, 16: 14.5, 20: 18.5})
    assert curve(tmp_path / "train", "loss") == loss, "in one chart with that of validation"
    assert set(curve(tmp_path / "train", "watch/learning_rate").values()) == {0.5}
    assert set(curve(tmp_path / "train", "watch/gradient_norm")) == set(loss)
    assert curve(tmp_path / "train", "train/token_accuracy") == {10: 0.25, 20: 0.25}
    assert set(curve(tmp_path / "train", "speed/tokens_per_second")) == set(loss)
    assert curve(tmp_path / "validation", "validation/loss") == {10: 1.5, 20: 1.5}
    assert curve(tmp_path / "validation", "loss") == {10: 1.5, 20: 1.5}
    assert curve(tmp_path / "validation", "validation/bleu") == {10: 20.0, 20: 21.0}


def test_every_tag_has_one_of_four_prefixes_and_the_loss_comes_first(tmp_path):
    train(TensorBoard(tmp_path, every=4), FakeModel())
    tags = {tag for run in ("train", "validation") for tag in read(tmp_path / run).Tags()["scalars"]}
    assert {tag.partition("/")[0] for tag in tags} == {"loss", "train", "validation", "speed", "watch"}
    assert sorted(tags)[0] == "loss"


def test_without_a_token_count_the_loss_is_keras_s_own_mean(tmp_path):
    model = FakeModel()
    model.tokens_seen = None
    train(TensorBoard(tmp_path, every=5), model, epochs=1)
    assert curve(tmp_path / "train", "loss") == pytest.approx({5: 3.0, 10: 5.5})
    assert "speed/tokens_per_second" not in read(tmp_path / "train").Tags()["scalars"]
    assert "speed/steps_per_second" in read(tmp_path / "train").Tags()["scalars"]


def test_pictures_texts_and_the_recipe(tmp_path):
    train(TensorBoard(tmp_path, FakeProblem(), recipe_text="model:\n  type: Transformer", samples=2), FakeModel())
    shown = read(tmp_path / "validation")
    assert shown.Tags()["images"] == [
        f"attention/{kind}_example_{row}" for kind in ("decoder", "encoder") for row in (1, 2)
    ]
    assert [image.step for image in shown.Images("attention/encoder_example_1")] == [10, 20]
    assert shown.Images("attention/encoder_example_1")[0].encoded_image_string.startswith(b"\x89PNG")
    text = shown.Tensors("decoded")[1].tensor_proto.string_val[0].decode()
    assert text.splitlines()[0] == "| input | target | prediction |" and len(text.splitlines()) == 4
    assert "targets 7" in text
    (recipe,) = read(tmp_path / "train").Tensors("recipe")
    assert recipe.tensor_proto.string_val[0].decode() == "    model:\n      type: Transformer"


def test_curves_only(tmp_path):
    train(TensorBoard(tmp_path, FakeProblem(), attention_maps=False, samples=0), FakeModel())
    assert read(tmp_path / "validation").Tags()["images"] == [] == read(tmp_path / "validation").Tags()["tensors"]


def test_a_run_that_goes_on_replaces_the_points_it_repeats(tmp_path, monkeypatch):
    clock = iter(range(1_000, 90_000))
    monkeypatch.setattr("time.time", lambda: next(clock))
    train(TensorBoard(tmp_path, every=5), FakeModel())
    train(TensorBoard(tmp_path, every=5), FakeModel(step=12), epochs=1, validated={"validation_bleu": 99.0})
    assert list(curve(tmp_path / "train", "loss")) == [5, 10, 15, 20, 22]
    assert curve(tmp_path / "validation", "validation/bleu") == {10: 20.0, 22: 99.0}


def test_a_run_told_to_stop_writes_no_half_evaluation(tmp_path):
    model = FakeModel()
    model.stop_signal = 15
    train(TensorBoard(tmp_path, FakeProblem()), model, epochs=1)
    assert not (tmp_path / "validation").exists()
    assert curve(tmp_path / "train", "loss") == {10: 5.5}


def test_options_are_checked(tmp_path):
    with pytest.raises(ValueError, match="every: 0 is not positive"):
        TensorBoard(tmp_path, every=0)
    with pytest.raises(ValueError, match="samples: -1 is negative"):
        TensorBoard(tmp_path, samples=-1)


def test_the_points_of_an_epoch_s_last_step_are_there_before_anything_saves(tmp_path):
    callback = TensorBoard(tmp_path, every=50)
    model = FakeModel()
    callback.set_model(model)
    callback.set_params({"steps": 2})
    callback.on_train_begin()
    callback.on_epoch_begin(0)
    for batch in range(2):
        model.tokens_seen += 1.0
        callback.on_train_batch_end(batch, {"loss": 1.0 + batch / 2})
    assert curve(tmp_path / "train", "loss") == {2: 1.5}


def test_views_of_one_s_own(tmp_path):
    class Mine(View):
        def render(self, model):
            return {"mine/words": "**bold**", "mine/dot": png(np.zeros((1, 1, 3)))}

    train(TensorBoard(tmp_path, FakeProblem(), views=[Mine()]), FakeModel(), epochs=1)
    tags = read(tmp_path / "validation").Tags()
    assert tags["images"] == ["mine/dot"] and tags["tensors"] == ["mine/words"]
