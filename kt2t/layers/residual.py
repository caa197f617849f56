"""The wiring around every sublayer: norm, dropout and the residual connection."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import keras

from kt2t.layers.dropout import Dropout
from kt2t.layers.layer_norm import LayerNorm
from kt2t.registry import build, describe, register

Tensor = Any


@register
class Residual(keras.layers.Layer):
    """Wraps a sublayer in norm, dropout and a residual connection.

        pre:   y = x + dropout(f(norm(x)))
        post:  y = norm(x + dropout(f(x)))

    Pre-norm trains deep stacks without problems in warmup, and needs one more norm after the last layer; post-norm is the
    published Transformer. Further arguments of a call, such as the memory or a mask, go to the sublayer.

    Shapes:
        x (batch, time, hidden_dim) → (batch, time, hidden_dim)

    Args:
        sublayer: Any layer that keeps the shape of its first argument.
        norm: pre, before the sublayer; post, after the residual sum.
        dropout: Probability of zeroing an element of the sublayer's output, in training only.
        normalization: Prototype of the norm; `LayerNorm` unless given.

    Raises:
        ValueError: `norm` is neither pre nor post.

    Source: Vaswani et al. 2017, section 5.4 (post); Tensor2Tensor's transformer_base (pre).
    """

    def __init__(
        self,
        sublayer: Any,
        norm: Literal["pre", "post"] = "pre",
        dropout: float = 0.0,
        normalization: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if norm not in ("pre", "post"):
            raise ValueError(f"norm: {norm!r} is neither pre nor post.")
        self.supports_masking = True
        self.is_pre = norm == "pre"
        self.norm = norm_like(normalization, self.dtype_policy.name)
        self.sublayer = sublayer
        self.dropout = Dropout(dropout, dtype=self.dtype_policy)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.norm.build(input_shape)

    def __call__(self, x: Tensor, *args: Any, training: bool | None = None, **kwargs: Any) -> Tensor:
        # Keras refuses tensors and other things side by side in a catch-all, such as a mask and a cache, and takes an
        # explicit training=None as the end of the mode that an outer layer set.
        further = {"further": _Further(args, kwargs)} if args or kwargs else {}
        mode = {} if training is None else {"training": training}
        return super().__call__(x, **further, **mode)

    def call(self, x: Tensor, further: _Further | None = None, training: bool | None = None) -> Tensor:
        args, kwargs = (further.args, further.kwargs) if further else ((), {})
        y = self.sublayer(self.norm(x) if self.is_pre else x, *args, **kwargs)
        y = x + self.dropout(y, training=training)
        return y if self.is_pre else self.norm(y)


def norm_like(prototype: Any, dtype: str) -> Any:
    """Makes a new norm from a prototype, whose own dtype has priority over `dtype`; a `LayerNorm` if it is None."""
    return build(describe(LayerNorm() if prototype is None else prototype), dtype=dtype)


@dataclasses.dataclass(frozen=True)
class _Further:
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
