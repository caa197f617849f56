"""The gate between new and old states, against the formula."""

from __future__ import annotations

import numpy as np
import pytest
from recurrence_harness import MADE, X, dense, norm, prepared, run, sigmoid

from kt2t.layers import HighwayRecurrence


@pytest.mark.parametrize("reads", [("inputs",), ("state", "transformed", "inputs")])
def test_it_is_the_formula(reads):
    layer = prepared(HighwayRecurrence(reads))
    state = X
    for made in MADE:
        known = {"state": state, "transformed": made, "inputs": X}
        z = norm(X, layer.norm) if len(reads) == 1 else np.concatenate([known[name] for name in reads], -1)
        gate = sigmoid(dense(z, layer.gate))
        state = gate * made + (1 - gate) * state
    np.testing.assert_allclose(run(layer), state, atol=1e-5)


def test_what_a_gate_cannot_read_is_refused():
    with pytest.raises(ValueError, match=r"gate_reads: \(\) is empty"):
        HighwayRecurrence(())
    with pytest.raises(ValueError, match="gate_reads: .*'output'"):
        HighwayRecurrence(("output",))
