"""The Transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kt2t.models.attention_model import AttentionModel
from kt2t.models.encoder_decoder import EncoderDecoder
from kt2t.options import one_of
from kt2t.registry import register


@register
class Transformer(AttentionModel, EncoderDecoder):
    """Encoder and decoder of attention and feed-forward blocks; the defaults are Tensor2Tensor's base model.

    Shapes:
        inputs (batch, source) and targets (batch, time) int32, each with `_segments`, labels such as target_space
        (batch,) → logits (batch, time, vocabulary_size)

    Args:
        features: `inputs` of any kind that `embed` reads, `targets` of kind Text, and labels that condition the inputs.
        tie: all: inputs, targets and softmax share one table when inputs and targets have the same vocabulary (else as
            output); output: targets and softmax share one; none: three tables.
        encoder_layers: Number of blocks of the encoder; `num_layers` unless given.
        decoder_layers: Number of blocks of the decoder; `num_layers` unless given.
        input_positions: from_start or from_end: whether the positions of the inputs are counted from the first or from
            the last. From the end, a distance from the end has the same encoding for inputs of any length.
        common: The options of `AttentionModel`.

    Raises:
        ValueError: There are no inputs, targets are not Text, `num_heads` does not divide a width, or `input_positions` is
            unknown.

    Source: Vaswani et al. 2017; pre-norm, the target space and all numbers: Tensor2Tensor's transformer_base.
    Positions from the end: similar to Takase and Okazaki 2019, who tell a decoder how much of the requested length is left.
    """

    def __init__(
        self,
        features: Mapping[str, Any],
        tie: Literal["all", "output", "none"] = "all",
        encoder_layers: int | None = None,
        decoder_layers: int | None = None,
        input_positions: Literal["from_start", "from_end"] = "from_start",
        **common: Any,
    ) -> None:
        one_of("input_positions", input_positions, ("from_start", "from_end"))
        encoder: dict[str, Any] = {"count_from": input_positions.removeprefix("from_")}
        decoder: dict[str, Any] = {"causal": True, "reads_memory": True}
        for stack, layers in ((encoder, encoder_layers), (decoder, decoder_layers)):
            if layers is not None:
                stack["num_layers"] = layers
        super().__init__(features, encoder=encoder, decoder=decoder, tie=tie, **common)
