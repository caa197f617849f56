"""ByteNet: dilated convolutions over the source, and on top of them dilated convolutions over the target."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from keras import ops

from kt2t.layers.aligned_decoder import AlignedDecoder
from kt2t.layers.convolution_block import ConvolutionBlock
from kt2t.layers.dilated_convolution import DilatedConvolution
from kt2t.layers.dilated_stack import DilatedStack
from kt2t.layers.memory import Memory
from kt2t.models.encoder_decoder import EncoderDecoder
from kt2t.ops.unfolding import lengthened, positions_made
from kt2t.registry import register

Tensor = Any
MULTIPLE = 50  # Tensor2Tensor pads sources and targets to a multiple of it


@register
class ByteNet(EncoderDecoder):
    """Encodes the inputs with dilated convolutions; a causal stack of them reads the encoder's state at its own position.

    There is no attention: the encoder makes ⌊length_ratio · n⌋ states of n inputs, and the decoder reads state t when it writes
    token t. Beyond the last state it reads zeros. Time is linear in the lengths.

    Shapes:
        inputs (batch, source) and targets (batch, time) int32, each with `_segments`, labels such as target_space
        (batch,) → logits (batch, time, vocabulary_size)

    Args:
        features: `inputs` of any kind that `embed` reads, `targets` of kind Text, and labels that condition the inputs.
        hidden_dim: Width of the embeddings and of every convolution.
        num_blocks: Number of residual blocks in the encoder, and in the decoder.
        dilations: Dilations of a block's convolutions; 1, 2, 4 and 8 unless given.
        kernel_size: Number of taps of each convolution.
        dropout: Probability of zeroing an element of a block's output, in training only.
        tie: See `EncoderDecoder`.
        length_ratio: Number of states that the encoder makes of each input; at least 1.
        include_padding: Whether padding has states, and rows are as wide as Tensor2Tensor's: a multiple of 50. Use it for
            weights that were trained so; each row must hold one example, and predictions depend on the widths of the batch.

    Raises:
        ValueError: No inputs, targets that are not Text, a size that is not positive, a `length_ratio` below 1, or an unknown
            `tie`.

    Source: Kalchbrenner et al. 2016; sizes, norms and the ratio are those of Tensor2Tensor's bytenet_base. Departs from that:
    padding has no states, unless `include_padding`.
    """

    fills_in = ("encoder", "decoder")

    def __init__(
        self,
        features: Mapping[str, Any],
        hidden_dim: int = 768,
        num_blocks: int = 4,
        dilations: list[int] | None = None,
        kernel_size: int = 3,
        dropout: float = 0.2,
        tie: Literal["all", "output", "none"] = "none",
        length_ratio: float = 1.5,
        include_padding: bool = False,
        **kwargs: Any,
    ) -> None:
        if length_ratio < 1:
            raise ValueError(
                f"length_ratio: {length_ratio} is below 1. Give the targets' length by the inputs', such as 1.5."
            )
        stack = partial(DilatedStack, hidden_dim, num_blocks, dilations, kernel_size, dropout=dropout)
        first = ConvolutionBlock([DilatedConvolution(hidden_dim, kernel_size, use_bias=False)])
        encoder, decoder = partial(stack, padding="same"), partial(AlignedDecoder, first, stack)
        super().__init__(features, encoder, decoder, hidden_dim, tie, **kwargs)
        self.length_ratio = length_ratio
        self.include_padding = include_padding
        self.takes_packed_rows = not include_padding

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> Memory:
        x, segments = self.embedded_inputs(features)
        x, segments = self._widened(x, features) if self.include_padding else lengthened(x, segments, self.length_ratio)
        return Memory(self.encoder(x, segments, training=training), segments)

    def _widened(self, x: Tensor, features: Mapping[str, Tensor]) -> Memory:
        """Pads x to a multiple of 50 positions, at least as many as the targets have; all of them are real."""
        time = ops.shape(x)[1]
        width = positions_made(time, self.length_ratio)
        if "targets" in features:
            width = _larger(width, ops.shape(features["targets"])[1])
        x = ops.pad(x, [[0, 0], [0, width + -width % MULTIPLE - time], [0, 0]])
        return Memory(x, ops.ones(ops.shape(x)[:2], dtype="int32"))


def _larger(one: Any, other: Any) -> Any:
    """Returns the larger of two sizes; a number if both are, because a width of JAX must be one."""
    return max(one, other) if isinstance(one, int) and isinstance(other, int) else ops.maximum(one, other)
