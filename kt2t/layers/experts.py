"""The experts of a mixture: many feed-forward networks in one layer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.dropout import Dropout
from kt2t.ops.experts import through_experts
from kt2t.options import positive
from kt2t.registry import register

Tensor = Any


@register
class Experts(keras.layers.Layer):
    """Feed-forward networks without biases, of which each row goes through those that it chose.

        y = Σ_k weights_k · scale · W2_e · dropout(relu(W1_e · x)),   e = chosen_k

    Shapes:
        x (rows, hidden_dim), chosen (rows, k) int32, weights (rows, k) → (rows, hidden_dim)

    Args:
        num_experts: Number of networks; a row that chooses this number itself chooses none.
        intermediate_dim: Width inside each network.
        dropout: Probability of zeroing an inner unit, in training only.
        scaled: Whether scale is √(hidden_dim / intermediate_dim); 1 otherwise.

    Raises:
        ValueError: A size is not positive.

    Source: Shazeer et al. 2017, section 5; the scale is that of Tensor2Tensor's ffn_expert_fn.
    """

    def __init__(
        self, num_experts: int, intermediate_dim: int, dropout: float = 0.0, scaled: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.num_experts = positive("num_experts", num_experts)
        self.intermediate_dim = positive("intermediate_dim", intermediate_dim)
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)
        self.scaled = scaled

    def build(self, x_shape: Any, *further: Any, **others: Any) -> None:
        dim = x_shape[-1]
        self._scale = (dim / self.intermediate_dim) ** 0.5 if self.scaled else 1.0
        self.widen = self._matrices("widen", dim, self.intermediate_dim)
        self.narrow = self._matrices("narrow", self.intermediate_dim, dim)

    def call(self, x: Tensor, chosen: Tensor, weights: Tensor, training: bool | None = None) -> Tensor:
        def run(blocks: Tensor, expert: Tensor) -> Tensor:
            h = ops.relu(ops.matmul(blocks, self._of(self.widen, expert, blocks.dtype)))
            return ops.matmul(self.dropout(h, training=training), self._of(self.narrow, expert, blocks.dtype))

        y = through_experts(ops.cast(x, self.compute_dtype), chosen, weights, self.num_experts, run)
        return y if self._scale == 1.0 else y * self._scale

    def compute_output_shape(self, x_shape: Any, *further: Any, **others: Any) -> Any:
        return x_shape

    def _matrices(self, name: str, rows: int, columns: int) -> Any:
        # The fans of one expert's matrix, not of the array that holds them all.
        bound = (6 / (rows + columns)) ** 0.5
        initial = keras.initializers.RandomUniform(-bound, bound)
        return self.add_weight(shape=(self.num_experts, rows, columns), initializer=initial, name=name)

    def _of(self, matrices: Any, expert: Tensor, dtype: Any) -> Tensor:
        """Returns the matrix of each block, with a gradient that is one array."""
        experts, rows, columns = matrices.shape
        flat = ops.reshape(ops.cast(matrices, dtype), (experts, rows * columns))
        return ops.reshape(ops.take(flat, expert, axis=0), (-1, rows, columns))
