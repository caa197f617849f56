"""LSTMs under a head, for labels of whole inputs and of their positions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kt2t.layers.bidirectional_stack import BidirectionalStack
from kt2t.layers.lstm_stack import recurrent
from kt2t.layers.memory import Memory
from kt2t.models.reader import Reader
from kt2t.registry import register

Tensor = Any


@register
class LSTMReader(Reader):
    """Reads the inputs with LSTMs and predicts a label for them, a tag for each of their positions, or both.

    Shapes:
        inputs (batch, time) int32, with `_segments` → logits (batch, num_classes) for a Label,
        (batch, time, num_classes + 1) for Tags, a dict of them for a dict of targets

    Args:
        features: `inputs` of any kind with a length that `embed` reads, `targets` of any kind that `head` predicts, or a dict
            of them, and labels that condition the inputs.
        num_layers: Number of LSTM layers.
        hidden_dim: Width of the embeddings and of every LSTM.
        dropout: Probability of zeroing an element of the input of an LSTM, in training only.
        reverse_inputs: Whether the inputs are read from their end.
        bidirectional: Whether LSTMs of the same sizes also read in the other direction.
        stack: Prototype of the recurrent layers, such as `GRUStack(2, 128)`; its sizes and dropout replace those of the LSTMs.
        include_padding: Whether padding enters the mean for a label as zeros, as in Tensor2Tensor. Use it for weights that
            were trained so; predictions then depend on the padded width of the batch.

    Raises:
        ValueError: See `Reader`; a size is not positive, or the stack is of another kind.

    Source: Tensor2Tensor's lstm_encoder. Departs: a label is read from the mean over real positions, unless
    `include_padding`.
    """

    fills_in = ("encoder",)

    def __init__(
        self,
        features: Mapping[str, Any],
        num_layers: int = 2,
        hidden_dim: int = 128,
        dropout: float = 0.2,
        reverse_inputs: bool = True,
        bidirectional: bool = False,
        stack: Any = None,
        include_padding: bool = False,
        **kwargs: Any,
    ) -> None:
        encoder: Any = recurrent(stack, num_layers, hidden_dim, dropout, reverse=reverse_inputs)
        super().__init__(features, BidirectionalStack(encoder) if bidirectional else encoder, hidden_dim, **kwargs)
        self.include_padding = include_padding
        self.takes_packed_rows = not include_padding

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> Memory:
        memory = super().encode(features, training=training)
        return Memory(memory.states, ops.ones_like(memory.segments)) if self.include_padding else memory
