"""GRUs on top of one another."""

from __future__ import annotations

from kt2t.layers.gru import GRU
from kt2t.layers.recurrent_stack import RecurrentStack
from kt2t.registry import register


@register
class GRUStack(RecurrentStack):
    """A stack of GRU layers with dropout on the input of each.

    `RecurrentStack` says how it serves as an encoder and as a decoder, and has the options.

    Shapes:
        x (batch, time, dim), segments (batch, time) int32 or None, memory or None → (batch, time, units), or
        (batch, time, num_layers · units + units) with `returns_state`: h of every layer from the lowest, then the output

    Raises:
        ValueError: See `RecurrentStack`.

    Source: Cho et al. 2014; several layers as in Sutskever et al. 2014.
    """

    kind = GRU
