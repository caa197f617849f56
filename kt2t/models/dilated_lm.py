"""A language model of gated dilated convolutions, as in WaveNet."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from kt2t.layers.gated_dilated_stack import GatedDilatedStack
from kt2t.models.language_model import LanguageModel
from kt2t.registry import register


@register
class DilatedLM(LanguageModel):
    """Predicts each token of a text from the tokens before it, with gated causal convolutions whose dilations grow.

    Shapes:
        targets (batch, time) int32 and, if they are a field, inputs (batch, source), each with `_segments` → logits
        (batch, time, vocabulary_size)

    Args:
        features: See `LanguageModel`.
        hidden_dim: Width of the embeddings and of every convolution.
        num_blocks: How often the dilations repeat.
        dilations: Dilations of a block's convolutions; 1, 2, 4, … 512 unless given.
        kernel_size: Number of taps of each convolution.
        skip_dim: Width of the sum of all convolutions; `hidden_dim` unless given.
        dropout: Probability of zeroing an element of a convolution's output, in training only.
        tie: See `LanguageModel`.

    Raises:
        ValueError: See `LanguageModel` and `GatedDilatedStack`.

    Source: van den Oord et al. 2016 (WaveNet). Departs: it writes text, so an embedding stands in the place of the first
    convolution.
    """

    fills_in = ("decoder",)

    def __init__(
        self,
        features: Mapping[str, Any],
        hidden_dim: int = 256,
        num_blocks: int = 3,
        dilations: list[int] | None = None,
        kernel_size: int = 2,
        skip_dim: int | None = None,
        dropout: float = 0.0,
        tie: Literal["all", "output", "none"] = "none",
        **kwargs: Any,
    ) -> None:
        decoder = partial(GatedDilatedStack, hidden_dim, num_blocks, dilations, kernel_size, skip_dim, dropout)
        super().__init__(features, decoder, hidden_dim, tie, **kwargs)
