"""A language model of LSTMs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kt2t.layers.lstm_stack import recurrent
from kt2t.models.language_model import LanguageModel
from kt2t.registry import register


@register
class LSTMLM(LanguageModel):
    """Predicts each token of a text from the tokens before it, with LSTMs.

    Shapes:
        targets (batch, time) int32 and, if they are a field, inputs (batch, source), each with `_segments` → logits
        (batch, time, vocabulary_size)

    Args:
        features: See `LanguageModel`.
        num_layers: Number of LSTM layers.
        hidden_dim: Width of the embeddings and of every LSTM.
        dropout: Probability of zeroing an element of the input of an LSTM, in training only.
        tie: See `LanguageModel`.
        stack: Prototype of the recurrent layers, such as `GRUStack(2, 512)`; its sizes and dropout replace those of the LSTMs.

    Raises:
        ValueError: See `LanguageModel`; a size is not positive, the stack is of another kind, or a tie of tables of different
            widths.

    Source: Zaremba et al. 2014 (dropout between layers); sizes and tables are those of Tensor2Tensor's lstm_seq2seq without
    inputs.
    """

    fills_in = ("decoder",)

    def __init__(
        self,
        features: Mapping[str, Any],
        num_layers: int = 2,
        hidden_dim: int = 128,
        dropout: float = 0.2,
        tie: Literal["all", "output", "none"] = "none",
        stack: Any = None,
        **kwargs: Any,
    ) -> None:
        decoder = recurrent(stack, num_layers, hidden_dim, dropout)
        if tie != "none" and decoder.units != hidden_dim:
            raise ValueError(
                f"tie: {tie} needs a stack as wide as its embeddings, and it has {decoder.units} units for {hidden_dim}. "
                "Use none."
            )
        super().__init__(features, decoder, hidden_dim, tie, **kwargs)
