"""Activations that reach their limits exactly, and a measure of how far inputs lie beyond them."""

from __future__ import annotations

from typing import Any

from keras import ops

Tensor = Any
LIMIT = 0.9


def saturating_sigmoid(x: Tensor) -> Tensor:
    """Computes a sigmoid that is stretched by a fifth and cut, so that a gate can close and open entirely.

        min(1, max(0, 1.2 · σ(x) - 0.1))

    Shapes:
        x (…) → (…)

    Source: Kaiser and Sutskever 2016, section 3, "gate cutoff".
    """
    return ops.clip(1.2 * ops.sigmoid(x) - 0.1, 0.0, 1.0)


def hard_sigmoid(x: Tensor) -> Tensor:
    """Computes a sigmoid of straight lines; unlike Keras's, it reaches its limits at -1 and 1.

        min(1, max(0, (x + 1) / 2))

    Shapes:
        x (…) → (…)

    Source: Freivalds and Liepins 2018, section 3.
    """
    return ops.clip(0.5 * x + 0.5, 0.0, 1.0)


def hard_tanh(x: Tensor) -> Tensor:
    """Computes a hyperbolic tangent of straight lines.

        min(1, max(-1, x))

    Shapes:
        x (…) → (…)

    Source: Freivalds and Liepins 2018, section 3.
    """
    return ops.clip(x, -1.0, 1.0)


def excess(x: Tensor, limit: float = LIMIT) -> Tensor:
    """Computes how far inputs of a hard activation lie beyond a limit, where its gradient is zero or nearly so.

        max(0, |x| - limit)

    As a loss it moves them back to where they have a gradient.

    Shapes:
        x (…) → (…)

    Source: Freivalds and Liepins 2018, section 3, the saturation cost.
    """
    return ops.relu(ops.abs(x) - limit)
