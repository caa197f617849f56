"""Activations that are computed again in the backward pass, instead of being kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from kt2t.ops import randomness
from kt2t.ops.custom_gradient import BoundPiece, Piece, with_gradient

Tensor = Any


def recomputed(
    layer: keras.layers.Layer, x: Tensor, memory: Tensor | None = None, **options: Any
) -> tuple[Tensor, list[Tensor]]:
    """Calls `layer(x, memory=memory, **options)`, and keeps only `x` and `memory` for the backward pass.

    In the backward pass the layer runs once more, with the same dropout. Gradients reach its weights, `x` and `memory`, but
    no tensor among the options. The losses that the layer gives to `add_loss` are returned, and the caller must add them:
    so they count once and have a gradient. Variables, such as the averages of batch normalization, are assigned once.

    Shapes:
        x (batch, time, hidden_dim), memory (batch, source, any dim) → the layer's output, and a list of scalars

    Args:
        layer: A built layer.
        options: Further named arguments of the call.

    Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost.
    """
    piece = Piece(layer, lambda x, memory=None: layer(x, memory=memory, **options))
    inputs = (x,) if memory is None else (x, memory)
    (y,), losses = with_gradient(_forward, _backward, [piece], inputs, keeps="inputs")
    return y, losses


def is_worthwhile(training: bool | None, cache: Any) -> bool:
    """Returns True in training without a cache, if a root of randomness is open, so that draws can be repeated."""
    return bool(training) and cache is None and randomness.is_open()


def _forward(block: BoundPiece, *inputs: Tensor) -> Sequence[Tensor]:
    return [block(*inputs)]


def _backward(block: BoundPiece, kept: Sequence[Tensor], gradients: Sequence[Tensor]) -> Sequence[Tensor]:
    _, pull = block.pullback(*kept)
    return pull(gradients[0])
