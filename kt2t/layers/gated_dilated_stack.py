"""The stack of a WaveNet: gated dilated convolutions with residual and skip connections."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.cache import Cache
from kt2t.layers.dropout import Dropout
from kt2t.layers.gated_convolution import GatedConvolution
from kt2t.layers.memory import Memory
from kt2t.layers.sequence import Sequence
from kt2t.ops.segments import padding_in_front
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class GatedDilatedStack(Sequence):
    """A causal stack of gated dilated convolutions; all of them together make the output.

        z_l = dropout(tanh(W_f,l * x) · sigmoid(W_g,l * x)),   x ← x + R_l z_l
        y = relu(P relu(Σ_l S_l z_l))

    A position sees num_blocks · (kernel_size - 1) · Σ dilations positions back. While decoding, the cache keeps the window of
    each convolution. A memory is read first, as the beginning of the sequence.

    Shapes:
        x (batch, time, hidden_dim), segments (batch, time) int32 or None, memory or None → (batch, time, hidden_dim)

    Args:
        hidden_dim: Width of x, of every convolution and of the output.
        num_blocks: How often the dilations repeat.
        dilations: Dilations of a block's convolutions; 1, 2, 4, … 512 unless given.
        kernel_size: Number of taps of each convolution.
        skip_dim: Width of the sum of all convolutions; `hidden_dim` unless given.
        dropout: Probability of zeroing an element of a convolution's output, in training only.

    Raises:
        ValueError: A size is not positive, or there are no dilations.

    Source: van den Oord et al. 2016 (WaveNet), sections 2.1 to 2.4. Departs: dropout; the last convolution has no residual
    connection, which would lead nowhere.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_blocks: int = 3,
        dilations: list[int] | None = None,
        kernel_size: int = 2,
        skip_dim: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        steps = [2**power for power in range(10)] if dilations is None else dilations
        if not steps:
            raise ValueError("dilations: there are none. Give those of a block, such as [1, 2, 4, 8].")
        steps = [positive("dilations", dilation) for dilation in steps] * positive("num_blocks", num_blocks)
        dtype = self.dtype_policy
        self.convolutions = [
            GatedConvolution(hidden_dim, kernel_size=kernel_size, dilation=dilation, dtype=dtype) for dilation in steps
        ]
        self.dropouts = [Dropout(dropout, dtype=dtype) for _ in steps]
        self.residuals = [keras.layers.Dense(hidden_dim, dtype=dtype) for _ in steps[1:]]
        width = hidden_dim if skip_dim is None else positive("skip_dim", skip_dim)
        self.skips = [keras.layers.Dense(width, dtype=dtype) for _ in steps]
        self.output_projection = keras.layers.Dense(hidden_dim, dtype=dtype)

    def build(self, x_shape: Any, segments_shape: Any = None, memory_shape: Any = None) -> None:
        for layer in (*self.convolutions, *self.residuals, *self.skips):
            layer.build(x_shape)
        self.output_projection.build((*x_shape[:-1], self.skips[0].units))

    def call(
        self,
        x: Tensor,
        segments: Tensor | None = None,
        memory: Memory | None = None,
        cache: Cache | None = None,
        training: bool | None = None,
    ) -> Tensor:
        if cache is not None or memory is None:
            return self._run(x, segments, cache, training)[1]
        if segments is None:
            segments = ops.ones(ops.shape(x)[:2], dtype="int32")
        states, own = padding_in_front(*memory)
        together = ops.concatenate([ops.cast(own, "int32"), ops.cast(segments, "int32")], axis=1)
        x = ops.concatenate([ops.cast(states, self.compute_dtype), x], axis=1)
        return self._run(x, together, None, training)[1][:, ops.shape(own)[1] :]

    def start(self, memory: Memory | None, cache: Cache) -> None:
        if memory is None:
            for level, convolution in enumerate(self.convolutions):
                convolution.start(None, cache.child(level))
            return
        states, segments = padding_in_front(*memory)
        inputs, _ = self._run(ops.cast(states, self.compute_dtype), segments, None, False)
        for level, (convolution, x) in enumerate(zip(self.convolutions, inputs, strict=True)):
            convolution.resume(x, segments, cache.child(level))

    def _run(
        self, x: Tensor, segments: Tensor | None, cache: Cache | None, training: bool | None
    ) -> tuple[list[Tensor], Tensor]:
        """Runs all layers; returns what each convolution reads, and the output."""
        inputs, total = [], 0
        for level, (convolution, dropout, skip) in enumerate(
            zip(self.convolutions, self.dropouts, self.skips, strict=True)
        ):
            inputs.append(x)
            z = dropout(convolution(x, segments, cache=cache and cache.child(level)), training=training)
            total = total + skip(z)
            if level < len(self.residuals):
                x = x + self.residuals[level](z)
        return inputs, ops.relu(self.output_projection(ops.relu(total)))
