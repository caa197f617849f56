"""The Evolved Transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kt2t.layers.evolved_decoder_block import EvolvedDecoderBlock
from kt2t.layers.evolved_encoder_block import EvolvedEncoderBlock
from kt2t.layers.transformer_stack import TransformerStack
from kt2t.models.encoder_decoder import EncoderDecoder
from kt2t.options import below_one
from kt2t.registry import register


@register
class EvolvedTransformer(EncoderDecoder):
    """The Transformer that an architecture search found: gates and convolutions beside attention, in encoder and decoder.

    Shapes:
        inputs (batch, source) and targets (batch, time) int32, each with `_segments`, labels such as target_space
        (batch,) → logits (batch, time, vocabulary_size)

    Args:
        features: `inputs` of any kind that `embed` reads, `targets` of kind Text, and labels that condition the inputs.
        encoder_layers: Number of cells of the encoder, each about as large as two Transformer blocks.
        decoder_layers: Number of cells of the decoder.
        hidden_dim: Width of the states between the layers, an even number.
        num_heads: Number of heads of every attention layer; the first one of a decoder cell has twice as many, at most 16.
        dropout: Probability of zeroing an element of a sublayer's output or of a stack's input, in training only.
        attention_dropout: The same for an attention weight; `dropout` unless given.
        activation_dropout: The same for an inner unit of a feed-forward network; `dropout` unless given.
        tie: all: inputs, targets and softmax share one table when inputs and targets have the same vocabulary (else as
            output); output: targets and softmax share one; none: three tables.
        positions: Prototype of the layer that adds positions; sinusoids unless given.
        recompute: Whether the backward pass recomputes the activations inside each cell instead of storing them: less
            memory, more time, the same results.

    Raises:
        ValueError: There are no inputs, targets are not Text, `hidden_dim` is odd, or a number of heads does not divide it.

    Source: So et al. 2019 (The Evolved Transformer); all numbers are those of Tensor2Tensor's evolved_transformer_base.
    """

    fills_in = ("encoder", "decoder")

    def __init__(
        self,
        features: Mapping[str, Any],
        encoder_layers: int = 3,
        decoder_layers: int = 4,
        hidden_dim: int = 512,
        num_heads: int = 8,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        activation_dropout: float | None = None,
        tie: Literal["all", "output", "none"] = "all",
        positions: Any = None,
        recompute: bool = False,
        **kwargs: Any,
    ) -> None:
        sizes: dict[str, Any] = {"hidden_dim": hidden_dim, "num_heads": num_heads}
        rates = {"dropout": dropout, "attention_dropout": attention_dropout, "activation_dropout": activation_dropout}
        for option, rate in rates.items():
            if rate is not None:
                sizes[option] = below_one(option, rate)
        shared = {"positions": positions, "dropout": dropout, "recompute": recompute}
        encoder = TransformerStack(EvolvedEncoderBlock(**sizes), encoder_layers, **shared)
        decoder = TransformerStack(EvolvedDecoderBlock(**sizes), decoder_layers, causal=True, **shared)
        super().__init__(features, encoder, decoder, hidden_dim, tie, **kwargs)
