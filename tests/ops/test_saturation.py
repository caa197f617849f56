"""Activations that reach their limits, by worked values."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kt2t.ops import saturation

X = np.array([-9.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 9.0], "float32")
CASES = {
    # σ(1) = 0.731059 and σ(2) = 0.880797, so the gate reaches 1 where σ = 11/12: between 2 and 9.
    "saturating_sigmoid": [0.0, 0.043044, 0.222730, 0.353049, 0.5, 0.646951, 0.777270, 0.956956, 1.0],
    "hard_sigmoid": [0.0, 0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0, 1.0],
    "hard_tanh": [-1.0, -1.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.0, 1.0],
    "excess": [8.1, 1.1, 0.1, 0.0, 0.0, 0.0, 0.1, 1.1, 8.1],
}


@pytest.mark.parametrize("name", CASES)
def test_worked_values(name):
    found = ops.convert_to_numpy(getattr(saturation, name)(X))
    np.testing.assert_allclose(found, CASES[name], atol=1e-6)


def test_another_limit():
    np.testing.assert_allclose(ops.convert_to_numpy(saturation.excess(X, 1.5))[:2], [7.5, 0.5])
