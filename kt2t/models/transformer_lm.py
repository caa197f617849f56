"""The Transformer without an encoder, as a language model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kt2t.models.attention_model import AttentionModel
from kt2t.models.language_model import LanguageModel
from kt2t.options import one_of
from kt2t.registry import register


@register
class TransformerLM(AttentionModel, LanguageModel):
    """Predicts each token of a text from the tokens before it, and from the inputs if there are any, with attention blocks.

    Shapes:
        targets (batch, time) and, if they are a field, inputs (batch, source) int32, each with `_segments` → logits
        (batch, time, vocabulary_size)

    Args:
        features: `targets` of kind Text, and optionally `inputs` of any kind with a length that `embed` reads.
        tie: all: the softmax shares the embedding's table, and inputs of the same vocabulary do too; output: the
            softmax does; none: a table for each.
        prefix: Which inputs an input may attend to: causal, the inputs up to itself; full, all of them, which excludes
            packed rows.
        common: The options of `AttentionModel`.

    Raises:
        ValueError: Targets that are not Text, inputs without a length, `num_heads` that does not divide a width, an
            unknown `prefix`, or inputs with an attention that counts positions, such as `RelativeAttention`, or with a
            feed-forward network that convolves.

    Source: Tensor2Tensor's transformer_base without inputs, and its transformer_prepend with them; Radford et al.
    2018 made the form known.
    """

    def __init__(
        self,
        features: Mapping[str, Any],
        tie: Literal["all", "output", "none"] = "all",
        prefix: Literal["causal", "full"] = "causal",
        **common: Any,
    ) -> None:
        one_of("prefix", prefix, ("causal", "full"))
        given = common.get("attention")
        kinds = given if isinstance(given, list) else [given]
        refused = [kind for kind in kinds if not getattr(kind, "takes_front", True)]
        if "inputs" in features and refused:
            raise ValueError(
                f"attention: {type(refused[0]).__name__} would count the padding between inputs and targets. Use "
                "Attention, or the Transformer, whose encoder reads the inputs."
            )
        if "inputs" in features and not getattr(common.get("feed_forward"), "takes_front", True):
            raise ValueError(
                f"feed_forward: {type(common['feed_forward']).__name__} would take the padding between inputs and targets "
                "for their neighbours. Use FeedForward, or the Transformer, whose encoder reads the inputs."
            )
        super().__init__(features, decoder={"causal": True, "front": prefix}, tie=tie, **common)
