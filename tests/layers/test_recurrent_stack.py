"""The contract of recurrent stacks; `test_lstm_stack.py` and `test_gru_stack.py` have the numbers."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.layers import Attention, GRUStack, LSTMStack, Memory
from kt2t.layers.recurrent_stack import check_is_stack

X = np.zeros((1, 3, 4), "float32")


def test_a_memory_too_narrow_for_the_states_is_refused():
    memory = Memory(np.zeros((1, 2, 15), "float32"), np.ones((1, 2), "int32"))
    with pytest.raises(ValueError, match="memory: the encoder returns 15 numbers .* LSTMStack starts from 16"):
        LSTMStack(2, 4, memory="start")(X, memory=memory)


def test_what_is_no_stack_is_refused():
    check_is_stack(GRUStack(1, 2))
    with pytest.raises(ValueError, match="stack: Attention is no stack of recurrent layers. Use LSTMStack or GRUStack"):
        check_is_stack(Attention(2))


def test_sizes():
    assert (LSTMStack(2, 3).state_dim, GRUStack(2, 3).state_dim, GRUStack(2, 3).output_dim) == (12, 6, 3)
