"""The LSTM over steps, against the formula."""

from __future__ import annotations

import numpy as np
import pytest
from recurrence_harness import MADE, X, dense, norm, prepared, run, sigmoid

from kt2t.layers import LSTMRecurrence


@pytest.mark.parametrize("bias", [0.0, 1.0])
def test_it_is_the_formula(bias):
    layer = prepared(LSTMRecurrence(bias))
    state, memory = X, 0
    for made in MADE:
        both = np.concatenate([norm(made, layer.norm), state], -1)
        gates = (layer.input_gate, layer.forget_gate, layer.output_gate, layer.modulation)
        i, f, o, j = (dense(both, gate) for gate in gates)
        memory = sigmoid(f + bias) * memory + sigmoid(i) * np.tanh(j)
        state = norm(sigmoid(o) * np.tanh(memory), layer.last_norm)
    np.testing.assert_allclose(run(layer), state, rtol=1e-3, atol=1e-4)
