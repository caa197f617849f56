"""Sequence to sequence with LSTMs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from kt2t.layers.lstm_stack import LSTMStack
from kt2t.models.encoder_decoder import EncoderDecoder
from kt2t.registry import register


@register
class LSTMSeq2Seq(EncoderDecoder):
    """Encodes the inputs with LSTMs, by default from last to first; decodes the targets with LSTMs from the final state.

    Shapes:
        inputs (batch, source) and targets (batch, time) int32, each with `_segments`, labels such as target_space
        (batch,) → logits (batch, time, vocabulary_size)

    Args:
        features: `inputs` of any kind that `embed` reads, `targets` of kind Text, and labels that condition the inputs.
        num_layers: Number of LSTM layers in the encoder, and in the decoder.
        hidden_dim: Width of the embeddings and of every LSTM.
        dropout: Probability of zeroing an element of the input of an LSTM, in training only.
        tie: See `EncoderDecoder`.
        reverse_inputs: Whether the inputs are read from their end.

    Raises:
        ValueError: No inputs, targets that are not Text, a size that is not positive, or an unknown `tie`.

    Source: Sutskever et al. 2014; sizes, dropout and three tables are those of Tensor2Tensor's lstm_seq2seq.
    """

    fills_in = ("encoder", "decoder")

    def __init__(
        self,
        features: Mapping[str, Any],
        num_layers: int = 2,
        hidden_dim: int = 128,
        dropout: float = 0.2,
        tie: Literal["all", "output", "none"] = "none",
        reverse_inputs: bool = True,
        **kwargs: Any,
    ) -> None:
        stack = partial(LSTMStack, num_layers, hidden_dim, dropout)
        encoder = partial(stack, reverse=reverse_inputs, returns_state=True)
        decoder = partial(stack, memory="start")
        super().__init__(features, encoder, decoder, hidden_dim, tie, **kwargs)
