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
        encoder_layers: Blocks of the encoder; `num_layers` unless given.
        decoder_layers: Blocks of the decoder; `num_layers` unless given.
        input_positions: from_start, or from_end, which counts the positions of the inputs from their last one back:
            what stands how far from the end can then be looked for, however long the inputs are.
        common: The options of `AttentionModel`.

    Raises:
        ValueError: No inputs, targets that are not Text, heads that do not divide a width, or unknown
        `input_positions`.

    Source: Vaswani et al. 2017; pre-norm, the target space and all numbers: Tensor2Tensor's transformer_base.
    Positions from the end: as Takase and Okazaki 2019 tell a decoder how many are left of the length asked for.
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
