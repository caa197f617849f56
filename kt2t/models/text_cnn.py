"""A convolutional network that finds features in a text and labels it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kt2t.layers.text_convolutions import TextConvolutions
from kt2t.models.reader import Reader
from kt2t.registry import register


@register
class TextCNN(Reader):
    """Reads a sequence by convolutions of several widths and their maxima over time; predicts a label, numbers, or several.

    Shapes:
        inputs of any kind that `embed` makes a sequence of, with `_segments` where their length varies → logits
        (batch, num_classes) for a Label; a dict of them for a dict of targets

    Args:
        features: `inputs`, `targets` of any kind that `head` predicts for a whole example, or a dict of them, and labels that
            condition the inputs.
        filters: Number of features of each width.
        kernel_sizes: Widths of the windows, in positions; 2, 3, 4 and 5 unless given.
        hidden_dim: Width of the embeddings.
        dropout: Probability of zeroing a maximum, in training only.
        include_padding: Whether windows of padding count, as in Tensor2Tensor. Use it for weights that were trained so;
            predictions then depend on the padded width of the batch.

    Raises:
        ValueError: No inputs, targets with a value for each position, a size that is not positive, or no widths.

    Source: Kim 2014; sizes and dropout are those of Tensor2Tensor's text_cnn_base. Departs: see `TextConvolutions`.
    """

    fills_in = ("encoder",)

    def __init__(
        self,
        features: Mapping[str, Any],
        filters: int = 128,
        kernel_sizes: list[int] | None = None,
        hidden_dim: int = 64,
        dropout: float = 0.4,
        include_padding: bool = False,
        **kwargs: Any,
    ) -> None:
        sizes = [2, 3, 4, 5] if kernel_sizes is None else kernel_sizes
        encoder = TextConvolutions(filters, sizes, dropout, include_padding)
        super().__init__(features, encoder=encoder, hidden_dim=hidden_dim, **kwargs)
        self.takes_packed_rows = not include_padding
        targets = self.features["targets"]
        for feature in targets.values() if isinstance(targets, Mapping) else [targets]:
            if feature.shares_segments_with:
                raise ValueError(
                    f"features: TextCNN has one vector for a whole example, and {feature!r} needs one for each position. "
                    "Use TransformerEncoder."
                )
