"""A dense network under a head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kt2t.layers.dense_stack import DenseStack
from kt2t.models.reader import Reader
from kt2t.registry import register


@register
class DenseReader(Reader):
    """Reads small pictures of one size by layers that see all pixels, and predicts a label, numbers, or several of these.

    Shapes:
        inputs (batch, height, width, channels) uint8 → logits (batch, num_classes) for a Label; a dict of them for a dict of
        targets

    Args:
        features: `inputs` of kind Image, `targets` of any kind that `head` predicts for a whole example, or a dict of them,
            and labels that condition the inputs.
        widths: Width of each dense layer.
        dropout: Probability of zeroing an output of a layer.
        hidden_dim: Number of channels to which each pixel is projected before the first layer.

    Raises:
        ValueError: No inputs, inputs without a map of one size, or a size that is not positive.

    Source: LeCun et al. 1998, section III.C.4, with rectifiers and dropout (Srivastava et al. 2014, section 6.1.1).
    """

    fills_in = ("encoder",)

    def __init__(
        self,
        features: Mapping[str, Any],
        widths: list[int] | None = None,
        dropout: float = 0.2,
        hidden_dim: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(features, encoder=DenseStack(widths, dropout), hidden_dim=hidden_dim, **kwargs)

    def make_input_embeddings(self, hidden_dim: int, inputs_embedding: Any = None, **options: Any) -> None:
        super().make_input_embeddings(hidden_dim, inputs_embedding, kernel_size=1, **options)
