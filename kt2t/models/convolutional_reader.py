"""A small convolutional network under a head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kt2t.layers.convolutions import Convolutions
from kt2t.models.reader import Reader
from kt2t.registry import register


@register
class ConvolutionalReader(Reader):
    """Reads small pictures of one size by a few convolutions and predicts a label, numbers, or several of these.

    Shapes:
        inputs (batch, height, width, channels) uint8 → logits (batch, num_classes) for a Label; a dict of them for a dict of
        targets

    Args:
        features: `inputs` of kind Image, `targets` of any kind that `head` predicts for a whole example, or a dict of them,
            and labels that condition the inputs.
        hidden_dim: Channels of the first convolution.
        filters: Channels of each further convolution; the map is halved after every one.
        kernel_size: Side of the further convolutions, in pixels.
        intermediate_dim: Width of the layer over the whole map.
        dropout: Probability of zeroing an element after pooling; twice that, at most 0.5, after the wide layer.

    Raises:
        ValueError: No inputs, inputs without a map of one size, or a size that is not positive.

    Source: LeCun et al. 1998, with rectifiers, max-pooling and dropout.
    """

    fills_in = ("encoder",)

    def __init__(
        self,
        features: Mapping[str, Any],
        hidden_dim: int = 32,
        filters: list[int] | None = None,
        kernel_size: int = 3,
        intermediate_dim: int = 128,
        dropout: float = 0.25,
        **kwargs: Any,
    ) -> None:
        encoder = Convolutions(filters, kernel_size, intermediate_dim, dropout)
        super().__init__(features, encoder=encoder, hidden_dim=hidden_dim, **kwargs)
