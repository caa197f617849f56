"""The sum of two numbers."""

from __future__ import annotations

from kt2t.data.algorithmic.arithmetic import Arithmetic
from kt2t.registry import register


@register
class Addition(Arithmetic):
    """Two numbers in, their sum out, lowest digits first. Options are those of `Arithmetic`; base 2 or 10 upstream.

    Shapes:
        digits of a, separator, digits of b → digits of a + b

    Source: Tensor2Tensor, `algorithmic_addition_binary40` and `_decimal40`. Departs: the separator has an id of its own
    within the vocabulary (upstream's is one past its end); `long` has longer inputs only.
    """

    def combine(self, first: int, second: int) -> int:
        return first + second
