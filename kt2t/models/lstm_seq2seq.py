"""Sequence to sequence with LSTMs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kt2t.layers.bidirectional_stack import BidirectionalStack
from kt2t.layers.input_feeding_stack import InputFeedingStack
from kt2t.layers.lstm_stack import recurrent
from kt2t.models.encoder_decoder import EncoderDecoder
from kt2t.registry import register


@register
class LSTMSeq2Seq(EncoderDecoder):
    """Encodes the inputs with LSTMs, by default from last to first; decodes the targets with LSTMs from the final state.

    With an attention, the decoder also reads the encoder's outputs at every step, and is fed what it saw.

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
        bidirectional: Whether the encoder reads in both directions; the decoder then has twice the units.
        attention: Prototype of the decoder's attention, such as `BahdanauAttention()`; none unless given.
        stack: Prototype of the recurrent layers, such as `GRUStack(2, 128)`; its sizes and dropout replace those of the LSTMs.
        include_padding: Whether the attention sees padding, as in Tensor2Tensor. Use it for weights that were trained so;
            predictions then depend on the padded width of the batch.

    Raises:
        ValueError: No inputs, targets that are not Text, a size that is not positive, a part of another kind, padding for no
            attention, an unknown `tie`, or a tie of tables of different widths.

    Source: Sutskever et al. 2014, with attention Bahdanau et al. 2015 and Luong et al. 2015; sizes, dropout and three
    tables are those of Tensor2Tensor's lstm_seq2seq, lstm_seq2seq_bidirectional_encoder and lstm_seq2seq_attention.
    Departs: attention does not see padding, unless `include_padding`.
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
        bidirectional: bool = False,
        attention: Any = None,
        stack: Any = None,
        include_padding: bool = False,
        **kwargs: Any,
    ) -> None:
        if include_padding and attention is None:
            raise ValueError(
                "include_padding: only an attention sees padding. Give an attention, or leave the option out."
            )
        sizes = (stack, num_layers, hidden_dim, dropout)
        reverse = reverse_inputs and not bidirectional
        encoder: Any = recurrent(*sizes, reverse=reverse, returns_state=True)
        units = encoder.units * (2 if bidirectional else 1)
        decoder: Any = recurrent(*sizes, units=units, memory="start")
        if bidirectional:
            encoder = BidirectionalStack(encoder)
        if attention is not None:
            decoder = InputFeedingStack(decoder, attention, include_padding)
        width = decoder.output_dim
        if tie != "none" and width != hidden_dim:
            raise ValueError(
                f"tie: {tie} needs a decoder as wide as its embeddings, and it is {width} wide, they {hidden_dim}. Use none."
            )
        super().__init__(features, encoder, decoder, hidden_dim, tie, **kwargs)
        self.takes_packed_rows = not include_padding
