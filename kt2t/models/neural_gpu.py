"""The Neural GPU, which computes on a tape of the length of its input."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from kt2t.layers.active_memory import ActiveMemory
from kt2t.layers.saturating_convolutional_gru import SaturatingConvolutionalGRU
from kt2t.models.parallel_writer import ParallelWriter
from kt2t.registry import register


@register
class NeuralGPU(ParallelWriter):
    """Embeds the inputs on a tape, updates the whole tape once for each of their positions, and reads the targets from it.

    Shapes:
        inputs (batch, source) and targets (batch, time) int32, each with `_segments` → logits
        (batch, time, vocabulary_size)

    Args:
        features: See `ParallelWriter`.
        num_layers: Number of convolutional GRUs in a step.
        hidden_dim: Width of the tape.
        kernel_size: Number of positions from which a position is updated.
        dropout: Probability of zeroing an element of the tape before each step, in training only.
        include_padding: Whether the padding behind an example is a part of its tape, as in Tensor2Tensor. Use it for weights
            that were trained so; answers then depend on the padded width of the batch.

    Raises:
        ValueError: See `ParallelWriter` and `ActiveMemory`.

    Source: Kaiser and Sutskever 2016, with a tape of width 1; gates, dropout and sizes are those of Tensor2Tensor's
    neural_gpu. Departs: padding is no part of the tape unless `include_padding`, and there is no embedding of the targets,
    which Tensor2Tensor makes and does not use.
    """

    fills_in = ("encoder",)

    def __init__(
        self,
        features: Mapping[str, Any],
        num_layers: int = 1,
        hidden_dim: int = 256,
        kernel_size: int = 3,
        dropout: float = 0.1,
        include_padding: bool = False,
        **kwargs: Any,
    ) -> None:
        unit = SaturatingConvolutionalGRU(hidden_dim, kernel_size)
        encoder = partial(ActiveMemory, unit, num_layers, dropout, include_padding)
        super().__init__(features, encoder, hidden_dim, **kwargs)
        self.takes_packed_rows = not include_padding
