"""Which loss, metrics and scores each kind of target asks for, and how several targets are named."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.data import judging
from kt2t.data.judging import by_name, for_each, keyed, loss_for, metrics_for, scored, scores_for
from kt2t.features import Audio, Feature, Image, Label, MultiLabel, Numbers, Tags, Text
from kt2t.scores import Accuracy, TagAccuracy


def measured(feature, truth, output, weight=None):
    """Loss values and metrics of one batch, by name."""
    import keras

    found = {}
    for metric in metrics_for(feature):
        metric.update_state(np.asarray(truth), keras.ops.convert_to_tensor(output), weight)
        found[metric.name] = float(metric.result())
    loss = loss_for(feature)
    loss.reduction = None
    return np.asarray(loss(np.asarray(truth), keras.ops.convert_to_tensor(output))), found


def test_a_label_is_judged_by_cross_entropy_and_accuracy():
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]], "float32"))
    loss, found = measured(Label(3), [1, 1], logits)
    np.testing.assert_allclose(loss, -np.log([0.25, 0.8]), rtol=1e-5)
    assert found["accuracy"] == 0.5 and found["perplexity"] == pytest.approx(np.exp(loss.mean()), rel=1e-5)


@pytest.mark.parametrize("feature", [Text(4), Tags(3)])
def test_sequences_are_judged_position_by_position(feature):
    logits = np.zeros((1, 3, 4), "float32")
    logits[0, [0, 1, 2], [2, 3, 1]] = 5
    loss, found = measured(feature, [[2, 3, 3]], logits, np.array([[1.0, 1.0, 0.0]]))
    assert loss.shape == (1, 3) and found["token_accuracy"] == 1.0 and found["sequence_accuracy"] == 1.0


def test_several_labels_are_judged_by_binary_cross_entropy_and_f1():
    truth, logits = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]), np.array([[2.0, 1.0, -1.0], [-3.0, -1.0, 0.5]], "float32")
    loss, found = measured(MultiLabel(3), truth, logits)
    chances = 1 / (1 + np.exp(-logits))
    by_hand = -(truth * np.log(chances) + (1 - truth) * np.log(1 - chances))
    np.testing.assert_allclose(loss, by_hand, rtol=1e-5)
    # predicted: {0, 1}, {2}; right: {0, 2}, {2}: 2 hits of 3 + 3
    assert found["f1"] == pytest.approx(2 * 2 / 6)


def test_numbers_are_judged_by_their_squared_error():
    loss, found = measured(Numbers(2), np.array([[1.0, 2.0]]), np.array([[2.0, 5.0]], "float32"))
    np.testing.assert_allclose(loss, [[1, 9]])
    assert found == {"mean_absolute_error": 2.0}


def test_pixels_are_judged_as_classes():
    logits = np.zeros((1, 1, 2, 1, 256), "float32")
    logits[0, 0, 0, 0, 7] = 9
    loss, found = measured(Image(1, 2, 1), np.full((1, 1, 2, 1), 7, "uint8"), logits)
    assert loss.shape == (1, 1, 2, 1) and found == {"pixel_accuracy": 0.5}
    assert loss[0, 0, 1, 0] == pytest.approx(np.log(256), rel=1e-5)


def test_scores_by_kind():
    kinds = [Text(4), Label(2), Tags(2), MultiLabel(2), Numbers(1), Image(1, 1)]
    found = [[score.name for score in scores_for(kind)] for kind in kinds]
    assert found == [["exact_match"], ["accuracy"], ["tag_accuracy"], ["f1"], ["squared_error"], []]


def test_an_unknown_kind_says_how_to_register_a_loss_and_can_be_registered():
    class Chords(Feature):
        pass

    with pytest.raises(ValueError, match=r"targets: no loss is known for Chords\(\).*loss_for.register\(Chords\)"):
        loss_for(Chords())
    with pytest.raises(ValueError, match="Audio"):
        loss_for(Audio())
    assert metrics_for(Chords()) == scores_for(Chords()) == []
    judging.loss_for.register(Chords, lambda feature: "mine")
    assert loss_for(Chords()) == "mine"


def test_several_targets_have_names_of_their_own():
    targets = {"tags": Tags(3), "label": Label(2)}
    scores = for_each(targets, scores_for)
    assert list(by_name(scores)) == ["tags_tag_accuracy", "label_accuracy"]
    assert keyed(targets, "tags", "loss") == "tags_loss" and keyed(["tags"], "tags", "loss") == "loss"
    assert list(by_name({"label": [Accuracy()]})) == ["accuracy"]
    predictions = [{"tags": ["A", "B"], "label": "x"}, {"tags": ["A", "C"], "label": "y"}]
    references = [{"tags": ["A", "B"], "label": "x"}, {"tags": ["A", "B"], "label": "x"}]
    assert scored(scores, predictions, references) == {"tags_tag_accuracy": 0.75, "label_accuracy": 0.5}
    assert scored([TagAccuracy()], [["A"]], [["B"]]) == {"tag_accuracy": 0.0}
