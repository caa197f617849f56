"""Steps of a Universal Transformer with a gate between the new and the old states."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.layers.dropout import Dropout
from kt2t.layers.recurrence import Carried, Recurrence
from kt2t.layers.residual import norm_like
from kt2t.options import one_of
from kt2t.registry import register

Tensor = Any
READ = ("state", "transformed", "inputs")


@register
class HighwayRecurrence(Recurrence):
    """A gate mixes what the blocks made with the states before the step.

        x_t = g ⊙ blocks(x_(t-1)) + (1 - g) ⊙ x_(t-1),   g = σ(W · [what it reads] + b)

    In training g has dropout. A gate that reads one tensor reads the norm of it, as in Tensor2Tensor.

    Shapes:
        carried: a list of tensors (batch, time, …); prepared and transformed (batch, time, hidden_dim) → such a list

    Args:
        gate_reads: What the gate reads, any of state (x_(t-1)), transformed (blocks(x_(t-1))) and inputs (x_0).

    Raises:
        ValueError: `gate_reads` is empty or names something else.

    Source: Srivastava et al. 2015 (Highway Networks), section 2; Tensor2Tensor, universal_transformer_highway. The bias
    begins at -1, so that the states are carried at first.
    """

    def __init__(
        self, gate_reads: tuple[str, ...] | list[str] = ("state", "transformed", "inputs"), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not gate_reads:
            raise ValueError(f"gate_reads: {gate_reads!r} is empty. Choose of {', '.join(READ)}.")
        for one in gate_reads:
            one_of("gate_reads", one, READ)
        self.gate_reads = tuple(gate_reads)

    def prepare(self, hidden_dim: int, num_steps: int, normalization: Any, dropout: float) -> None:
        dtype = self.dtype_policy
        bias = keras.initializers.Constant(-1.0)
        self.gate = keras.layers.Dense(hidden_dim, activation="sigmoid", bias_initializer=bias, dtype=dtype)
        self.gate.build((None, len(self.gate_reads) * hidden_dim))
        self.dropout = Dropout(dropout, dtype=dtype)
        self.norm = norm_like(normalization, dtype.name) if len(self.gate_reads) == 1 else None
        if self.norm is not None:
            self.norm.build((None, hidden_dim))

    def begin(self, x: Tensor) -> Carried:
        return [x, x]

    def call(
        self,
        carried: Carried,
        prepared: Tensor,
        transformed: Tensor,
        segments: Tensor | None = None,
        step: int = 0,
        training: bool | None = None,
    ) -> Carried:
        state, inputs = carried
        known = {"state": state, "transformed": transformed, "inputs": inputs}
        read = [known[name] for name in self.gate_reads]
        z = ops.concatenate(read, axis=-1) if self.norm is None else self.norm(read[0])
        gate = self.dropout(self.gate(z), training=training)
        return [self.kept(state, inputs) * (1 - gate) + transformed * gate, inputs]

    def kept(self, state: Tensor, inputs: Tensor) -> Tensor:
        """Returns what the gate mixes with the transformed states."""
        return state
