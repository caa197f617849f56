"""Symbols of the data that a model does not see in training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from kt2t.features import Text
from kt2t.ops.randomness import kept, layer_seed
from kt2t.registry import register
from kt2t.training.feeds.feed import Feed

Tensor = Any


@register
class SymbolDropout(Feed):
    """Replaces symbols that the model reads by id 0, whose vector is zero, in training only.

    It takes the ids of every field of kind Text: of the inputs, and of the targets as the decoder reads them. What the
    model must predict stays the same. The vectors of the symbols that stay are not scaled up.

    Args:
        rate: Probability of replacing a symbol, from 0 to below 1.

    Raises:
        ValueError: `rate` is outside this range, or the model reads no Text.

    Source: Tensor2Tensor's `symbol_dropout`; Iyyer et al. 2015, section 3.2 (word dropout).
    """

    def __init__(self, rate: float) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"rate: {rate} is not from 0 to below 1.")
        self.rate = rate

    def check(self, features: Mapping[str, Any]) -> None:
        if not any(isinstance(feature, Text) for feature in features.values()):
            raise ValueError("SymbolDropout replaces symbols of texts, and the model reads no Text. Leave it out.")

    def __call__(self, model: Any, x: Mapping[str, Tensor]) -> dict[str, Tensor]:
        texts = [field for field, feature in model.features.items() if isinstance(feature, Text) and field in x]
        return {**x, **{field: self._dropped(model, x[field]) for field in texts}}

    def _dropped(self, model: Any, ids: Tensor) -> Tensor:
        ids = ops.convert_to_tensor(ids)
        seed = layer_seed(model)
        if seed is None or not self.rate:
            return ids
        return ids * ops.cast(kept((ops.shape(ids)[0], ids.shape[1] or ops.shape(ids)[1]), self.rate, seed), ids.dtype)
