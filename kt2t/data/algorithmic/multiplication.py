"""The product of two numbers."""

from __future__ import annotations

from kt2t.data.algorithmic.arithmetic import Arithmetic
from kt2t.registry import register


@register
class Multiplication(Arithmetic):
    """Multiplies two numbers, written with the lowest digit first. Options as in `Arithmetic`.

    Tensor2Tensor has bases 2 and 10.

    Shapes:
        digits of a, separator, digits of b → digits of a * b

    Source: Tensor2Tensor, `algorithmic_multiplication_binary40` and `_decimal40`. Departs: the separator's id is inside
    the vocabulary (Tensor2Tensor's is one past its end); all inputs of `long` are longer than those of `train`.
    """

    def combine(self, first: int, second: int) -> int:
        return first * second
