from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kt2t.training import rows


@pytest.mark.parametrize(("given", "multiple", "wanted"), [(5, 4, 8), (4, 4, 4), (1, 3, 3), (6, 1, 6)])
def test_rows_are_filled_up_with_weightless_repeats(given, multiple, wanted):
    x = {"ids": np.arange(given * 2).reshape(given, 2)}
    weight = np.arange(given * 2, dtype="float32").reshape(given, 2) + 1
    weight[-1] = np.inf  # the row that is repeated
    x = {"ids": ops.convert_to_tensor(x["ids"])}
    filled, y, weights = rows.filled((x, None, ops.convert_to_tensor(weight)), multiple)
    assert y is None
    ids, weights = (ops.convert_to_numpy(one) for one in (filled["ids"], weights))
    np.testing.assert_array_equal(ids[:given], np.arange(given * 2).reshape(given, 2))
    np.testing.assert_array_equal(ids[given:], np.tile([given * 2 - 2, given * 2 - 1], (wanted - given, 1)))
    np.testing.assert_array_equal(weights[:given], weight)
    assert weights.shape == (wanted, 2) and not weights[given:].any()


def test_without_weights_each_given_row_weighs_one():
    _, _, weights = rows.filled((ops.zeros((3, 2)), ops.zeros(3), None), 2)
    np.testing.assert_array_equal(ops.convert_to_numpy(weights), [1, 1, 1, 0])


def test_an_output_without_weights_has_them_beside_one_that_has():
    given = {"a": ops.convert_to_tensor([1.0, 2.0, 3.0]), "b": None}
    _, _, weights = rows.filled((ops.zeros((3, 2)), {"a": ops.zeros(3), "b": ops.zeros(3)}, given), 2)
    np.testing.assert_array_equal(ops.convert_to_numpy(weights["a"]), [1, 2, 3, 0])
    np.testing.assert_array_equal(ops.convert_to_numpy(weights["b"]), [1, 1, 1, 0])


@pytest.mark.parametrize("tensor", [False, True])
def test_shares_are_all_of_the_rows_once(tensor):
    data = (np.arange(12), {"a": np.arange(24).reshape(12, 2)}, None)
    places = [ops.convert_to_tensor(place) if tensor else place for place in range(3)]
    shares = [rows.share(data, place, 3) for place in places]
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.concatenate([one[0] for one in shares])), range(12))
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.concatenate([one[1]["a"] for one in shares])), data[1]["a"])
    assert all(one[2] is None for one in shares)


def test_rows_are_counted_past_what_is_missing():
    assert int(rows.count((None, {"a": np.zeros((5, 2))}))) == 5


@pytest.mark.parametrize(
    ("weights", "wanted"),
    [
        (None, None),
        ({"a": [1.0, 0.0], "b": None}, None),
        ([0.0, 0.5, 0.0], [False, True, False]),
        ([[0.0, 0.0], [0.0, 0.1], [0.0, 0.0]], [False, True, False]),
        ({"a": [0.0, 0.5, 0.0], "b": [[0.0], [0.0], [2.0]]}, [False, True, True]),
    ],
)
def test_a_row_counts_if_any_of_its_weights_does(weights, wanted):
    given = None if weights is None else {
        key: None if one is None else ops.convert_to_tensor(np.array(one, "float32"))
        for key, one in (weights if isinstance(weights, dict) else {"a": weights}).items()
    }  # fmt: skip
    found = rows.that_count(given)
    assert (found is None) if wanted is None else ops.convert_to_numpy(found).tolist() == wanted
    number = rows.number_that_count((ops.zeros((3, 2)), None, given))
    assert float(number) == (3 if wanted is None else sum(wanted))
