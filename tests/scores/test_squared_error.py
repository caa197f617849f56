import numpy as np
import pytest

from kt2t.scores import SquaredError


def test_the_mean_over_examples():
    found = SquaredError().score([np.array([1.0, 2.0]), np.array([0.0, 0.0])], [np.array([1.0, 4.0]), [3.0, 0.0]])
    assert found == {"squared_error": pytest.approx((2.0 + 4.5) / 2)}
    assert SquaredError().score([1.0], [[4.0, 2.0]]) == {"squared_error": 1.0}, "the nearest of several"
    assert SquaredError().signature == "squared_error"


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"shape \(2,\) with \(3,\)"):
        SquaredError().score([np.zeros(2)], [np.zeros(3)])
