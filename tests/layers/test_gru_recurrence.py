"""The GRU over steps, against the formula."""

from __future__ import annotations

import numpy as np
from recurrence_harness import MADE, X, dense, norm, prepared, run, sigmoid

from kt2t.layers import GRURecurrence


def test_it_is_the_formula():
    layer = prepared(GRURecurrence())
    state = X
    for made in MADE:
        u = norm(made, layer.norm)
        both = np.concatenate([u, state], -1)
        update, reset = (sigmoid(dense(both, gate)) for gate in (layer.update, layer.reset))
        candidate = np.tanh(dense(np.concatenate([u, reset * state], -1), layer.candidate))
        state = norm((1 - update) * u + update * candidate, layer.last_norm)
    np.testing.assert_allclose(run(layer), state, rtol=1e-3, atol=1e-4)
    assert layer.is_transition and not layer.has_step_signal
