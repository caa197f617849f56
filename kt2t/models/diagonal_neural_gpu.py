"""The improved Neural GPU: diagonal gates and hard activations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from keras import ops

from kt2t.layers.active_memory import ActiveMemory
from kt2t.layers.diagonal_convolutional_gru import DiagonalConvolutionalGRU
from kt2t.layers.dropout import Dropout
from kt2t.layers.memory import Memory
from kt2t.models.parallel_writer import ParallelWriter
from kt2t.ops.saturation import excess, hard_tanh
from kt2t.registry import register

Tensor = Any


@register
class DiagonalNeuralGPU(ParallelWriter):
    """Like `NeuralGPU`, with hard activations and gates that carry state to both neighbours; it learns long algorithms.

        s_0 = dropout(hard_tanh(embedding)),   s_t = unit(s_t-1),   logits = W s_n       n: the length of the inputs

    `unit` is `DiagonalConvolutionalGRU`. Activations that reach 0, 1 and -1 exactly keep the state sharp over many steps: what
    is learned on short inputs holds on much longer ones. The saturation loss of all hard activations goes through `add_loss`
    and is logged apart, as `auxiliary_loss`.

    Shapes:
        inputs (batch, source) and targets (batch, time) int32, each with `_segments` → logits
        (batch, time, vocabulary_size)

    Args:
        features: See `ParallelWriter`.
        hidden_dim: Width of the tape; at least 3.
        kernel_size: Number of positions from which a position is updated.
        dropout: Probability of zeroing an element of the embedded inputs, and of the candidate of each step, in training only.
        saturation_weight: Coefficient of the saturation loss, summed over channels, its mean over steps and real positions.

    Raises:
        ValueError: See `ParallelWriter` and `DiagonalConvolutionalGRU`.

    Source: Freivalds and Liepins 2018; sizes are those of their binary multiplication. Departs: each example takes as many
    steps as its own inputs are long, not as its batch's; `saturation_weight` is constant, and theirs is lowered with the loss
    and the learning rate; the embedding and the softmax have no bias. Tensor2Tensor's diagonal_neural_gpu is another function:
    it returns the state after the first step, and its shift zeroes two thirds of the channels.
    """

    fills_in = ("encoder",)

    def __init__(
        self,
        features: Mapping[str, Any],
        hidden_dim: int = 96,
        kernel_size: int = 3,
        dropout: float = 0.1,
        saturation_weight: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        unit = DiagonalConvolutionalGRU(hidden_dim, kernel_size, dropout, saturation_weight)
        super().__init__(features, partial(ActiveMemory, unit), hidden_dim, **kwargs)
        self.saturation_weight = saturation_weight
        self.dropout = Dropout(dropout, dtype=self.dtype_policy.name)

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> Memory:
        x, segments = self.embedded_inputs(features)
        if self.saturation_weight:
            real = ops.cast(ops.greater(segments, 0), "float32")
            beyond = ops.sum(excess(ops.cast(x, "float32")), axis=-1) * real
            self.add_loss(self.saturation_weight * ops.sum(beyond) / ops.maximum(ops.sum(real), 1.0))
        x = self.dropout(hard_tanh(x), training=training)
        return Memory(self.encoder(x, segments, training=training), segments)
