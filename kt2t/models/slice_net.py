"""SliceNet: sub-separable convolutions over source and target, and attention between them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from keras import ops

from kt2t.layers.attending_decoder import AttendingDecoder
from kt2t.layers.cache import Cache
from kt2t.layers.convolution_block import ConvolutionBlock
from kt2t.layers.convolutional_attention import SIGNAL, ConvolutionalAttention
from kt2t.layers.grouped_convolution import GroupedConvolution
from kt2t.layers.memory import Memory
from kt2t.layers.sinusoidal_positions import SinusoidalPositions
from kt2t.layers.subseparable_stack import SubseparableStack
from kt2t.models.encoder_decoder import EncoderDecoder
from kt2t.models.model import segments_of
from kt2t.ops.positions import positions
from kt2t.ops.segments import shift_right
from kt2t.registry import register

Tensor = Any
MERGED = 4  # runs of channels of the convolution that joins attention and targets


@register
class SliceNet(EncoderDecoder):
    """Encodes the inputs with sub-separable convolutions; decodes with causal ones and attention in every layer.

    Each label that conditions the inputs (`target_space`, `language`, `speaker`) stands in front of the targets, where other
    models have a zero vector; several are added up.

    Shapes:
        inputs (batch, source) and targets (batch, time) int32, each with `_segments`, labels such as target_space
        (batch,) → logits (batch, time, vocabulary_size)

    Args:
        features: `inputs` of any kind that `embed` reads, `targets` of kind Text, and labels that condition the inputs.
        num_layers: Number of layers of the decoder; the encoder has half as many again.
        hidden_dim: Width of the embeddings and of every convolution; a multiple of 4 and of `parts`.
        num_heads: Number of heads of every attention.
        kernel_sizes: Number of taps of the four convolutions of a layer; 3, 7, 15 and 31 unless given.
        parts: `parts` of the two convolutions of every block, see `SeparableConvolution`; 3 and 2 unless given.
        dropout: Probability of zeroing an element behind the encoder and behind the decoder, in training only.
        attention_dropout: Probability of zeroing an attention weight, in training only.
        tie: See `EncoderDecoder`.
        attention: Prototype of the layer through which the decoder reads the encoder's output; `ConvolutionalAttention` of
            `num_heads` heads unless given.
        include_padding: Whether the decoder attends to padding too, whose states are zero. Use it for weights that were trained
            so; predictions then depend on the padded width of the batch.

    Raises:
        ValueError: No inputs, targets that are not Text, a width that its heads or parts do not divide, a size that is not
            positive, or an unknown `tie`.

    Source: Kaiser et al. 2017; sizes are those of Tensor2Tensor's slicenet_1. Departs from that: the decoder does not attend to
    padding, unless `include_padding`.
    """

    fills_in = ("encoder", "decoder")

    def __init__(
        self,
        features: Mapping[str, Any],
        num_layers: int = 4,
        hidden_dim: int = 768,
        num_heads: int = 8,
        kernel_sizes: list[int] | None = None,
        parts: list[int] | None = None,
        dropout: float = 0.5,
        attention_dropout: float = 0.2,
        tie: Literal["all", "output", "none"] = "all",
        attention: Any = None,
        include_padding: bool = False,
        **kwargs: Any,
    ) -> None:
        if attention is None:
            attention = ConvolutionalAttention(hidden_dim, num_heads, attention_dropout, parts)
        sizes: dict[str, Any] = {"kernel_sizes": kernel_sizes, "parts": parts, "dropout": dropout}
        encoder = partial(SubseparableStack, hidden_dim, num_layers + num_layers // 2, padding="same", **sizes)
        merge = ConvolutionBlock([GroupedConvolution(hidden_dim, parts=MERGED)])
        stack = SubseparableStack(hidden_dim, num_layers, attention=attention, **sizes)
        super().__init__(
            features, encoder, partial(AttendingDecoder, attention, merge, stack), hidden_dim, tie, **kwargs
        )
        self.positions = SinusoidalPositions(signal_dim=SIGNAL, dtype=self.dtype_policy)
        self.include_padding = include_padding
        self.takes_packed_rows = not include_padding

    def encode(self, features: Mapping[str, Tensor], training: bool | None = False) -> Memory:
        feature = self.features["inputs"]
        own = segments_of(features, "inputs", feature) if feature.has_segments else None
        x = self.inputs_embedding(features["inputs"], own)
        segments = self.inputs_embedding.segments(features["inputs"], own)
        states = self.encoder(self.positions(x, positions(segments)), segments, training=training)
        if not self.include_padding:
            return Memory(states, segments)
        states = ops.where(ops.expand_dims(ops.greater(segments, 0), 2), states, ops.zeros_like(states))
        return Memory(states, ops.ones_like(segments))

    def decode(self, features: Mapping[str, Tensor], memory: Memory | None, training: bool | None = False) -> Tensor:
        segments = segments_of(features, "targets", self.features["targets"])
        x = shift_right(self.targets_embedding(features["targets"]), segments, self._first(features))
        return self.logits(self.decoder(x, segments, memory=memory, training=training))

    def start(self, memory: Memory | None, features: Mapping[str, Tensor], length: int, beams: int) -> Cache:
        cache = super().start(memory, features, length, beams)
        first = self._first(features)
        if first is not None:
            cache.remember("first", first)
        return cache

    def step(self, ids: Tensor, position: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
        x = self.targets_embedding(ids)
        if cache.holds("first"):
            x = ops.where(ops.equal(position, 0), cache.read("first"), x)
        return self.logits(self.decoder(x, cache=cache.child("decoder"), training=False)), cache

    def _first(self, features: Mapping[str, Tensor]) -> Tensor | None:
        """Returns the vector in front of the targets, (batch, 1, hidden_dim); None if no label conditions the inputs."""
        found = [getattr(self, f"{name}_embedding")(features[name]) for name in self._conditions()]
        return ops.expand_dims(sum(found[1:], found[0]), 1) if found else None
