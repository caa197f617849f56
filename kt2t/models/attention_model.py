"""The options that all models of attention blocks share."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from kt2t.layers.transformer_stack import TransformerStack, stack_of
from kt2t.models.model import Model


class AttentionModel(Model):
    """Base class of models with stacks of attention and feed-forward blocks; defaults are Tensor2Tensor's base model.

    A subclass inherits from this class first and from `EncoderDecoder`, `LanguageModel` or `Reader` second, and
    passes to this constructor `encoder` and `decoder` as dicts of the options in which that stack departs from the
    shared ones.

    Args:
        features: See `Model`.
        num_layers: Number of blocks in each stack.
        hidden_dim: Width of the states between the layers.
        intermediate_dim: Width inside the feed-forward networks.
        num_heads: Number of heads of every attention layer.
        dropout: Probability of zeroing an element of a sublayer's output or of the first block's input.
        attention_dropout: Probability of zeroing an attention weight; `dropout` unless given.
        activation_dropout: Probability of zeroing an inner unit of a feed-forward network; `dropout` unless given.
        norm: pre, before each sublayer; post, after the residual sum, as published.
        key_dim: Width of queries and keys, all heads together; `hidden_dim` unless given.
        value_dim: Width of values, all heads together; `key_dim` unless given.
        positions: Prototype of the layer that adds positions; sinusoids unless given.
        attention: Prototype of the self attention, in place of the plain one. The blocks of a stack take the prototypes of
            a list in turn, such as local and memory-compressed attention.
        feed_forward: Prototype of the feed-forward network, in place of the plain one.
        recompute: Whether the backward pass recomputes the activations inside each block instead of storing them: less
            memory, more time, the same results.
        normalization: Prototype of every norm, such as `L2Norm()`; `LayerNorm` unless given.

    Raises:
        ValueError: `num_heads` does not divide a width, or a size is not positive.
    """

    fills_in = ("encoder", "decoder")

    def __init__(
        self,
        features: Mapping[str, Any],
        num_layers: int = 6,
        hidden_dim: int = 512,
        intermediate_dim: int = 2048,
        num_heads: int = 8,
        dropout: float = 0.1,
        attention_dropout: float | None = None,
        activation_dropout: float | None = None,
        norm: Literal["pre", "post"] = "pre",
        key_dim: int | None = None,
        value_dim: int | None = None,
        positions: Any = None,
        attention: Any = None,
        feed_forward: Any = None,
        recompute: bool = False,
        normalization: Any = None,
        **kwargs: Any,
    ) -> None:
        shared = {
            "num_layers": num_layers,
            "hidden_dim": hidden_dim,
            "intermediate_dim": intermediate_dim,
            "num_heads": num_heads,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation_dropout": activation_dropout,
            "norm": norm,
            "key_dim": key_dim,
            "value_dim": value_dim,
            "positions": positions,
            "attention": attention,
            "feed_forward": feed_forward,
            "recompute": recompute,
            "normalization": normalization,
        }
        stacks = {part: _maker({**shared, **kwargs.pop(part)}) for part in ("encoder", "decoder") if part in kwargs}
        super().__init__(features, hidden_dim=hidden_dim, **stacks, **kwargs)


def _maker(options: Mapping[str, Any]) -> partial[TransformerStack]:
    return partial(stack_of, **options)
