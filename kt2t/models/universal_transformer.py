"""The Universal Transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kt2t.layers.universal_stack import UniversalStack
from kt2t.models.attention_model import AttentionModel
from kt2t.models.encoder_decoder import EncoderDecoder
from kt2t.registry import register


@register
class UniversalTransformer(AttentionModel, EncoderDecoder):
    """A Transformer that applies the same blocks in every step, as often as is set or as each position needs.

    Shapes:
        inputs (batch, source) and targets (batch, time) int32, each with `_segments`, labels such as target_space
        (batch,) → logits (batch, time, vocabulary_size)

    Args:
        features: `inputs` of any kind that `embed` reads, `targets` of kind Text, and labels that condition the inputs.
        tie: all: inputs, targets and softmax share one table when inputs and targets have the same vocabulary (else as
            output); output: targets and softmax share one; none: three tables.
        num_layers: Number of different blocks that each step applies in order.
        num_steps: Number of steps; with adaptive computation time the highest number.
        recurrence: Prototype of the way in which steps follow each other, such as `AdaptiveRecurrence()`;
            `BasicRecurrence` unless given.
        decoder_recurrence: That of the decoder; `recurrence` unless given.
        common: The other options of `AttentionModel`.

    Raises:
        ValueError: There are no inputs, targets are not Text, `num_heads` does not divide a width, or the decoder's
            recurrence reads later positions.

    Source: Dehghani et al. 2019 (Universal Transformers); Tensor2Tensor, universal_transformer.py.
    """

    def __init__(
        self,
        features: Mapping[str, Any],
        tie: Literal["all", "output", "none"] = "all",
        num_layers: int = 1,
        num_steps: int = 6,
        recurrence: Any = None,
        decoder_recurrence: Any = None,
        **common: Any,
    ) -> None:
        of_decoder = recurrence if decoder_recurrence is None else decoder_recurrence
        if not getattr(of_decoder, "can_decode", True):
            option = "recurrence" if decoder_recurrence is None else "decoder_recurrence"
            raise ValueError(
                f"{option}: {type(of_decoder).__name__} reads later positions, so it cannot decode. Give a "
                "decoder_recurrence of another kind."
            )
        shared = {"kind": UniversalStack, "num_steps": num_steps}
        encoder = {**shared, "recurrence": recurrence}
        decoder = {**shared, "recurrence": of_decoder, "causal": True, "reads_memory": True}
        super().__init__(features, encoder=encoder, decoder=decoder, tie=tie, num_layers=num_layers, **common)
