"""The gate between new states and the inputs, against the formula."""

from __future__ import annotations

import numpy as np
from recurrence_harness import MADE, X, dense, norm, prepared, run, sigmoid

from kt2t.layers import SkipRecurrence


def test_it_is_the_formula():
    layer = prepared(SkipRecurrence(("transformed",)))
    gate = sigmoid(dense(norm(MADE[-1], layer.norm), layer.gate))
    np.testing.assert_allclose(run(layer), gate * MADE[-1] + (1 - gate) * X, atol=1e-5)
