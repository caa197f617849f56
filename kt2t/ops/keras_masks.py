"""Keras's implicit masks: a padding mask (batch, time), True = real, that travels with a tensor from layer to layer.

`keras.layers.Embedding(mask_zero=True)`, `keras.layers.Masking` and `kt2t.layers.TokenEmbedding(mask_zero=True)` make one.
"""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any


def implicit_mask(x: Tensor) -> Tensor | None:
    """Returns the padding mask (batch, time) that Keras has attached to a tensor, or None."""
    return getattr(x, "_keras_mask", None)


def segments_or_mask(x: Tensor, segments: Tensor | None, mask: Tensor | None = None) -> Tensor | None:
    """Returns `segments`; if they are None, a padding mask as segments: 1 at the real positions of a row, else 0.

    Shapes:
        segments (batch, time) int32, mask (batch, time) boolean → (batch, time) int32, or None if all positions are real

    Args:
        x: The tensor that the segments belong to; its implicit mask is used if no mask is given.
        segments: Segment ids, which have priority over any mask.
        mask: True = real.
    """
    if segments is not None:
        return segments
    mask = implicit_mask(x) if mask is None else mask
    return None if mask is None else ops.cast(mask, "int32")


def attention_mask(mask: Any, source: Tensor | None) -> Any:
    """Returns the attention mask. Expands a padding mask of the keys (two axes); returns any other mask unchanged.

    Shapes:
        mask (batch, key) → (batch, 1, key) boolean

    Args:
        mask: The mask that was given, or None.
        source: The tensor that the keys are computed from; its implicit mask is used if no mask is given. May be None.
    """
    mask = implicit_mask(source) if mask is None else mask
    if len(getattr(mask, "shape", ())) != 2:
        return mask
    return ops.expand_dims(ops.cast(mask, "bool"), 1)
