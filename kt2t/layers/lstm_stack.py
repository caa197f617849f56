"""LSTMs on top of one another."""

from __future__ import annotations

from typing import Any

from kt2t.layers.lstm import LSTM
from kt2t.layers.recurrent_stack import RecurrentStack, check_is_stack
from kt2t.registry import build, describe, register


@register
class LSTMStack(RecurrentStack):
    """A stack of LSTM layers with dropout on the input of each.

    `RecurrentStack` says how it serves as an encoder and as a decoder, and has the options.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, memory or None → (batch, time, units), or
        (batch, time, 2 · num_layers · units + units) with `returns_state`: c and h of every layer from the lowest, then the
        output

    Raises:
        ValueError: See `RecurrentStack`.

    Source: Sutskever et al. 2014, which also reverses the source; Tensor2Tensor's lstm_seq2seq.
    """

    kind = LSTM


def recurrent(stack: Any, num_layers: int, hidden_dim: int, dropout: float, **options: Any) -> RecurrentStack:
    """Makes a stack like the prototype `stack`, or of LSTMs if it is None; `options` replace those of the prototype."""
    prototype = LSTMStack(num_layers, hidden_dim, dropout) if stack is None else stack
    check_is_stack(prototype)
    made: RecurrentStack = build({**describe(prototype), **options})
    return made
