"""A layer's activations computed again on the way back, instead of being kept."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.ops import randomness

Tensor = Any


def recomputed(
    layer: keras.layers.Layer, x: Tensor, memory: Tensor | None = None, **options: Any
) -> tuple[Tensor, list[Tensor]]:
    """`layer(x, memory=memory, **options)`, which keeps nothing but `x` and `memory` for the way back.

    The layer runs once more there, and drops the same. Gradients reach its weights, `x` and `memory`; a tensor among
    the options has none. What the layer gives to `add_loss` is handed back instead, for the caller to add: it stands
    outside of what is computed twice, so that it counts once and has its gradient. The layer must not keep statistics
    of its own, such as those of batch norm: they would move twice. On JAX's CPU the numbers are the same, but no memory
    was saved (2026-11-22: 3.90 MB of XLA's temporaries with, 3.84 MB without); its GPUs and TPUs have not been tried.

    Shapes:
        x (batch, time, hidden_dim), memory (batch, source, any dim) → what the layer gives, and a list of scalars

    Args:
        options: Further named arguments of the call.

    Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost.
    """

    def run(x: Tensor, memory: Tensor | None = None) -> tuple[Tensor, ...]:
        y = layer(x, memory=memory, **options)
        return (y, *_taken_losses(layer))

    given = (x,) if memory is None else (x, memory)
    y, *losses = keras.remat(randomness.repeatable(run))(*given)
    return y, losses


def is_worthwhile(training: bool | None, cache: Any) -> bool:
    """Whether there is a way back, and what is drawn on it the same: in a trainer's step, or under an open root."""
    return bool(training) and cache is None and randomness.is_open()


def _taken_losses(layer: keras.layers.Layer) -> list[Tensor]:
    """What the layer's parts gave to `add_loss` in this call, and no longer hold; not the regularizers' losses."""
    regularizers = sum(weight.regularizer is not None for weight in layer.trainable_weights)
    losses = list(layer.losses)
    layer._clear_losses()
    return losses[: len(losses) - regularizers]
