from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.ops import segments
from kt2t.training.objective import Objective, Sums, merged, share

DRAW = np.random.default_rng(0)
SQUARE = keras.losses.MeanSquaredError()


def numbers(*shape):
    return DRAW.normal(size=shape).astype("float32")


def loss_of(objective, y, y_pred, weights=None):
    tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, (y, y_pred))
    sums = objective.sums(*tensors, None if weights is None else keras.tree.map_structure(
        keras.ops.convert_to_tensor, weights))  # fmt: skip
    return float(share(sums, objective.coefficients))


def test_padding_has_no_part_in_the_loss():
    logits, ids = numbers(2, 5, 7), DRAW.integers(0, 7, (2, 5))
    weights = np.array([[1, 1, 1, 0, 0], [1, 1, 0, 0, 0]], "float32")
    logits[weights == 0] = np.inf
    ids[weights == 0] = 0
    valid = [(b, t) for b in range(2) for t in range(5) if weights[b, t]]
    nll = [np.log(np.exp(logits[b, t]).sum()) - logits[b, t, ids[b, t]] for b, t in valid]
    found = loss_of(Objective(keras.losses.SparseCategoricalCrossentropy(from_logits=True)), ids, logits, weights)
    assert found == pytest.approx(np.mean(nll), rel=1e-5)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 4)])
def test_weights_are_spread_from_the_left(shape):
    y, y_pred, weights = numbers(3, 4, 2), numbers(3, 4, 2), np.abs(numbers(*shape))
    values = ((y - y_pred) ** 2).mean(-1)
    spread = np.broadcast_to(weights.reshape(3, -1), (3, 4))
    expected = (values * spread).sum() / spread.sum()
    assert loss_of(Objective(SQUARE), y, y_pred, weights) == pytest.approx(expected, rel=1e-5)


def test_without_weights_it_is_the_mean():
    y, y_pred = numbers(3, 2), numbers(3, 2)
    assert loss_of(Objective("mse"), y, y_pred) == pytest.approx(((y - y_pred) ** 2).mean(), rel=1e-5)


@pytest.mark.parametrize("loss", ["mse", SQUARE, lambda y, y_pred: keras.ops.square(y - y_pred)])
def test_one_number_an_example(loss):
    y, y_pred = numbers(6), numbers(6)
    for left, right in [(y, y_pred), (y, y_pred[:, None]), (y[:, None], y_pred)]:
        assert loss_of(Objective(loss), left, right) == pytest.approx(((y - y_pred) ** 2).mean(), rel=1e-5)


def test_no_weight_at_all_is_a_loss_of_zero():
    assert loss_of(Objective("mse"), numbers(3, 2), numbers(3, 2), np.zeros(3, "float32")) == 0.0


def test_a_dict_of_outputs_has_its_own_weights_and_coefficients():
    y = {"a": numbers(3, 2), "b": numbers(3, 2)}
    y_pred = {"a": numbers(3, 2), "b": numbers(3, 2)}
    weights = {"a": np.array([1, 0, 0], "float32"), "b": np.array([1, 1, 2], "float32")}
    by_hand = ((y["a"] - y_pred["a"]) ** 2).mean(-1)[0] + 0.5 * (
        (np.abs(y["b"] - y_pred["b"]).mean(-1) * weights["b"]).sum() / 4
    )
    objective = Objective({"a": "mse", "b": "mae"}, {"a": 1.0, "b": 0.5})
    assert loss_of(objective, y, y_pred, weights) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "weights", "wanted"),
    [
        ({"a": "mse", "b": "mae"}, [1, 0.1], [1.0, 0.1]),
        ({"b": "mse", "a": "mae"}, [1, 0.1], [0.1, 1.0]),  # as Keras takes it
        ({"a": "mse", "b": "mae"}, {"b": 0.1}, [1.0, 0.1]),
        ({"a": "mse", "b": "mae"}, {"a": None, "b": 0.1}, [1.0, 0.1]),
        (["mse", "mae"], (1, 0.1), [1.0, 0.1]),
        (["mse", "mae"], {"b": 0.1}, [1.0, 0.1]),
        ({"a": "mse", "b": None, "c": "mae"}, [1, 5, 0.1], [1.0, 0.1]),
        ("mse", 0.5, [0.5]),
        ("mse", [0.5], [0.5]),
    ],
)
def test_coefficients_go_by_name_or_by_order(loss, weights, wanted):
    assert Objective(loss, weights, ["a", "b"] if isinstance(loss, list) else None).coefficients == wanted


@pytest.mark.parametrize(
    ("loss", "weights", "told"),
    [
        ({"first": "mse", "second": "mae"}, {"secnd": 0.1}, "no loss 'secnd'. Did you mean 'second'"),
        ({"first": "mse", "second": "mae"}, [1.0], r"\[1.0\] are 1 for 2 losses. Give one for each"),
        (["mse", "mae"], [1.0, 2.0, 3.0], "are 3 for 2 losses"),
        ("mse", {"a": 0.5}, "no loss 'a'. Give one number"),
    ],
)
def test_coefficients_of_no_loss_are_refused(loss, weights, told):
    with pytest.raises(ValueError, match=f"loss_weights: .*{told}"):
        Objective(loss, weights)


def test_a_list_of_losses_goes_with_a_list_of_outputs():
    y, y_pred = [numbers(3, 2), numbers(3, 2)], [numbers(3, 2), numbers(3, 2)]
    expected = ((y[0] - y_pred[0]) ** 2).mean() + np.abs(y[1] - y_pred[1]).mean()
    assert loss_of(Objective(["mse", "mae"]), y, y_pred) == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_is_one_number_is_refused():
    def total(y, y_pred):
        return keras.ops.mean(keras.ops.square(y - y_pred))

    with pytest.raises(ValueError, match="loss: 'total' returns one number for the whole batch"):
        loss_of(Objective(total), numbers(3, 2), numbers(3, 2))


def test_a_weight_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="sample_weight: a weight of shape"):
        loss_of(Objective("mse"), numbers(3, 2), numbers(3, 2), np.ones((3, 2), "float32"))


def test_one_loss_for_many_outputs_is_refused():
    both = {"a": numbers(3, 2), "b": numbers(3, 2)}
    with pytest.raises(ValueError, match="the outputs a, b"):
        loss_of(Objective("mse"), both, both)


def test_the_loss_given_keeps_its_own_reduction():
    Objective(SQUARE)
    assert SQUARE.reduction == "sum_over_batch_size"


def test_targets_and_outputs_need_the_keys_of_the_losses():
    both = {"tags": numbers(3, 2), "label": numbers(3, 2)}
    with pytest.raises(ValueError, match="there is one for 'lable', but the targets are tags, label.*mean 'label'"):
        loss_of(Objective({"lable": "mse"}), both, both)
    with pytest.raises(ValueError, match="there is one for 'label', but the outputs are tags"):
        loss_of(Objective({"label": "mse"}), both, {"tags": both["tags"]})
    with pytest.raises(ValueError, match="there is one for 'tags', but the sample_weight are label"):
        loss_of(Objective({"tags": "mse"}), both, both, {"label": np.ones(3, "float32")})


def test_a_dict_of_losses_is_logged_by_key_and_one_loss_is_not():
    assert Objective({"tags": "mse"}).logged_names == ["tags"]
    assert Objective({"tags": "mse", "label": "mae"}).logged_names == ["tags", "label"]
    assert Objective("mse").logged_names == [] == Objective(["mse"]).logged_names == Objective(None).logged_names


class PerExample(keras.losses.Loss):
    """A squared error of sums: one value for each row."""

    per = "example"

    def call(self, y_true, y_pred):
        return keras.ops.square(keras.ops.sum(y_true, 1) - keras.ops.sum(y_pred, 1))


def per_example(y_true, y_pred):
    return keras.ops.square(keras.ops.sum(y_true, 1) - keras.ops.sum(y_pred, 1))


per_example.per = "example"


@pytest.mark.parametrize("loss", [PerExample(), per_example], ids=["class", "function"])
@pytest.mark.parametrize(
    ("weights", "rows"),
    [
        (None, [1, 1, 1]),
        ([0.5, 0, 2], [0.5, 0, 2]),
        ([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1]], [1, 0, 1]),  # a row counts if any of its positions does
        ([[0.3, 0.3, 0, 0], [0.2, 0, 0, 0], [0, 0, 0, 0.7]], [0.3, 0.2, 0.7]),
    ],
)
def test_a_loss_per_example_is_weighted_by_rows(loss, weights, rows):
    y, y_pred = numbers(3, 4), numbers(3, 4)
    values, rows = (y.sum(1) - y_pred.sum(1)) ** 2, np.array(rows, "float32")
    given = None if weights is None else np.array(weights, "float32")
    objective = Objective(loss)
    assert loss_of(objective, y, y_pred, given) == pytest.approx((values * rows).sum() / rows.sum(), rel=1e-5)
    (whole,) = objective.total_weights(y, None if given is None else keras.ops.convert_to_tensor(given))
    assert float(whole) == pytest.approx(rows.sum())


def test_a_loss_per_example_must_give_a_value_for_each_row():
    def wrong(y_true, y_pred):
        return keras.ops.square(y_true - y_pred)

    wrong.per = "example"
    with pytest.raises(ValueError, match=r"'wrong' is per example, but its values have the shape \(3, 4\)"):
        loss_of(Objective(wrong), numbers(3, 4), numbers(3, 4))
    wrong.per = "row"
    with pytest.raises(ValueError, match="it is per 'row'. A loss has a value per 'element' or per 'example'"):
        Objective(wrong)


def test_each_loss_sees_the_segments_of_its_own_target():
    found = {}

    def watching(name):
        def loss(y_true, y_pred):
            found[name] = segments.shown()
            return keras.ops.square(y_true - y_pred)

        return loss

    both = {"a": numbers(2, 3), "b": numbers(2, 3)}
    with segments.showing({"a": "those of a", "b": None}):
        loss_of(Objective({"a": watching("a"), "b": watching("b")}), both, both)
    assert found == {"a": "those of a", "b": None}


@pytest.mark.parametrize(
    ("metrics", "weighted", "expected"),
    [
        (None, ["a"], ["a"]),
        (["a"], None, ["a"]),
        (["a"], ["b"], ["a", "b"]),
        ({"x": "a"}, {"x": ["b"], "y": "c"}, {"x": ["a", "b"], "y": ["c"]}),
    ],
)
def test_metrics_are_merged(metrics, weighted, expected):
    assert merged(metrics, weighted) == expected


def test_metrics_of_two_forms_are_refused():
    with pytest.raises(ValueError, match="weighted_metrics: give"):
        merged(["a"], {"x": "b"})


@pytest.mark.parametrize("shape", [None, (6,), (6, 1), (6, 5)])
def test_parts_know_the_weight_of_the_whole_from_the_weights_alone(shape):
    draw = np.random.default_rng(1)
    truth, prediction = draw.random((6, 5)).astype("float32"), draw.random((6, 5)).astype("float32")
    weights = None if shape is None else draw.random(shape).astype("float32")
    objective = Objective(lambda y, p: keras.ops.square(y - p))
    whole = objective.total_weights(truth, weights)
    parts = []
    for rows in (slice(0, 1), slice(1, 4), slice(4, 6)):
        given = None if weights is None else keras.ops.convert_to_tensor(weights[rows])
        sums = objective.sums(*map(keras.ops.convert_to_tensor, (truth[rows], prediction[rows])), given)
        parts.append(float(share(sums, objective.coefficients, whole)))
    spread = np.ones((6, 1)) if weights is None else weights.reshape(6, -1)
    spread = np.broadcast_to(spread, (6, 5))
    assert sum(parts) == pytest.approx((spread * (truth - prediction) ** 2).sum() / spread.sum(), rel=1e-5)


def test_a_mask_that_a_part_cannot_see_is_refused():
    sums = [Sums(keras.ops.convert_to_tensor(1.0), keras.ops.convert_to_tensor(2.0), None)]
    assert float(share(sums, [1.0], [8.0], lambda weight: weight * 2)) == pytest.approx(0.25)
    with pytest.raises(ValueError, match="Keras mask"):
        share(sums, [1.0], [8.0])
