"""A feed-forward network over all pixels of a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kt2t.layers.dense_stack import DenseStack
from kt2t.layers.raw_pixels import RawPixels
from kt2t.models.reader import Reader
from kt2t.options import positive
from kt2t.registry import register


@register
class FeedForwardReader(Reader):
    """Flattens a picture and reads it by dense layers of one width; predicts a label, numbers, or several of these.

    Unlike in `DenseReader`, the first layer sees the raw pixels, all channels of them, and nothing is learned before it.

    Shapes:
        inputs (batch, height, width, channels) uint8 → logits (batch, num_classes) for a Label; a dict of them for a dict of
        targets

    Args:
        features: `inputs` of kind Image, and `targets` of any kind that `head` predicts for a whole example, or a dict of them.
        num_layers: Number of dense layers.
        hidden_dim: Width of each.
        dropout: Probability of zeroing an output of a layer, in training only.

    Raises:
        ValueError: No inputs, inputs that are not pictures of one size, or a size that is not positive.

    Source: Tensor2Tensor's basic_fc_relu; the defaults are those of its basic_fc_small.
    """

    fills_in = ("encoder",)
    reads: frozenset[str] = frozenset()

    def __init__(
        self,
        features: Mapping[str, Any],
        num_layers: int = 2,
        hidden_dim: int = 256,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        encoder = DenseStack([hidden_dim] * positive("num_layers", num_layers), dropout)
        super().__init__(features, encoder=encoder, hidden_dim=hidden_dim, **kwargs)

    def make_input_embeddings(self, hidden_dim: int, inputs_embedding: Any = None, **options: Any) -> None:
        inputs = self.features["inputs"]
        if len(inputs.shape) != 3 or None in inputs.shape:
            raise ValueError(
                f"features: {type(self).__name__} reads pictures of one size, and the inputs are {inputs!r}. "
                "Use a model of sequences."
            )
        self.inputs_embedding = RawPixels(dtype=self.dtype_policy)
