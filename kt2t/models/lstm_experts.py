"""A language model of two LSTMs with a mixture of experts between them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from kt2t.layers.lstm_experts_stack import LSTMExpertsStack
from kt2t.layers.mixture_of_experts import MixtureOfExperts
from kt2t.models.language_model import LanguageModel
from kt2t.registry import register


@register
class LSTMExperts(LanguageModel):
    """Predicts each token of a text from the tokens before it, with experts between two LSTMs.

    Shapes:
        targets (batch, time) int32 and, if they are a field, inputs (batch, source), each with `_segments` → logits
        (batch, time, vocabulary_size)

    Args:
        features: See `LanguageModel`.
        hidden_dim: Width of the embeddings, the LSTMs, and the mixture's inputs and outputs.
        experts: Prototype of the mixture; unless given, 32 experts of 1,024 units, 4 for each token, as in the paper's
            MoE-32.
        dropout: Probability of zeroing an element of the embeddings or of a layer's output, in training only.
        tie: See `LanguageModel`.

    Raises:
        ValueError: See `LanguageModel` and `LSTMExpertsStack`.

    Source: Shazeer et al. 2017, section 5.1 and appendix C.1. Departs: the softmax is over all words, not sampled.
    """

    fills_in = ("decoder",)

    def __init__(
        self,
        features: Mapping[str, Any],
        hidden_dim: int = 512,
        experts: Any = None,
        dropout: float = 0.1,
        tie: Literal["all", "output", "none"] = "none",
        **kwargs: Any,
    ) -> None:
        mixture = MixtureOfExperts(32, 1024, k=4) if experts is None else experts
        decoder = partial(LSTMExpertsStack, mixture, hidden_dim, dropout)
        super().__init__(features, decoder, hidden_dim, tie, **kwargs)
