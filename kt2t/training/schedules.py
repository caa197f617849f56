"""Learning-rate schedules, i.e. functions of the step: Noam's schedule, and factors for a `Product`.

The step s counts from 0: it is the number of updates so far. W is `warmup`, a number of steps.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from kt2t.options import positive
from kt2t.registry import register


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Base class of learning-rate schedules that compute in float32. A subclass writes its formula in `at`."""

    def __call__(self, step: Any) -> Any:
        return self.at(ops.cast(step, "float32"))

    def at(self, step: Any) -> Any:
        raise NotImplementedError


@register
class Noam(Schedule):
    """Learning rate of the Transformer: rises linearly in the warm-up, then falls with the inverse square root of the step.

        scale · hidden_dim^-0.5 · min((s + 1) · W^-1.5, (s + 1)^-0.5)        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        hidden_dim: Width of the model.
        warmup: W, the number of steps up to the peak.
        scale: Factor on the whole schedule.

    Raises:
        ValueError: `hidden_dim` or `warmup` is not positive.

    Source: Vaswani et al. 2017, eq. 3, whose step counts from 1.
    """

    def __init__(self, hidden_dim: int, warmup: int = 4000, scale: float = 1.0) -> None:
        self.hidden_dim = positive("hidden_dim", hidden_dim)
        self.warmup = positive("warmup", warmup)
        self.scale = scale

    def at(self, step: Any) -> Any:
        count = step + 1.0
        return self.scale * self.hidden_dim**-0.5 * ops.minimum(count * self.warmup**-1.5, count**-0.5)


@register
class Product(Schedule):
    """Learning rate that is the product of several schedules.

        f1(s / n) · f2(s / n) · …        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        factors: The schedules f1, f2, …, of kt2t or Keras; a recipe writes each as a node, `{type: Constant, value:
            0.001}`.
        steps_per_count: n; the factors advance by one step every n optimizer steps.

    Raises:
        ValueError: There is no factor, or `steps_per_count` is not positive.

    Source: Tensor2Tensor, utils/learning_rate.py.
    """

    def __init__(self, factors: list[Any], steps_per_count: int = 1) -> None:
        if not factors:
            raise ValueError("factors: there is none. Give at least one, such as {type: Constant, value: 0.001}.")
        self.factors = list(factors)
        self.steps_per_count = positive("steps_per_count", steps_per_count)

    def at(self, step: Any) -> Any:
        rate = ops.convert_to_tensor(1.0, dtype="float32")
        for factor in self.factors:
            rate = rate * factor(step / self.steps_per_count)
        return rate


@register
class Constant(Schedule):
    """Learning rate, or factor of one, that is the same at every step.

    Shapes:
        step () → () float32

    Args:
        value: The learning rate or factor.
    """

    def __init__(self, value: float) -> None:
        self.value = value

    def at(self, step: Any) -> Any:
        return ops.convert_to_tensor(self.value, dtype="float32")


@register
class LinearWarmup(Schedule):
    """Learning-rate factor that rises linearly from 0 at step 0 to 1 at step `steps`, then stays at 1.

        min(1, s / steps)        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        steps: Number of steps up to 1.

    Raises:
        ValueError: `steps` is not positive.
    """

    def __init__(self, steps: int) -> None:
        self.steps = positive("steps", steps)

    def at(self, step: Any) -> Any:
        return ops.minimum(step / self.steps, 1.0)


@register
class ExponentialWarmup(Schedule):
    """Learning-rate factor that rises exponentially from 0.01 to 1, then follows another schedule.

        s < W: 0.01^(1 - s / W)        else: after(s)        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        steps: W, the number of steps of the warm-up.
        after: The schedule from step W on. Default: the factor stays at 1.

    Raises:
        ValueError: `steps` is not positive.

    Source: Tensor2Tensor, utils/learning_rate.py, "legacy".
    """

    def __init__(self, steps: int, after: Any = None) -> None:
        self.steps = positive("steps", steps)
        self.after = after

    def at(self, step: Any) -> Any:
        warmup = ops.power(0.01, 1.0 - step / self.steps)
        after = self.after(ops.maximum(step, float(self.steps))) if self.after else ops.ones_like(step)
        return ops.where(step < self.steps, warmup, ops.cast(after, "float32"))


@register
class ReciprocalSquareRoot(Schedule):
    """Learning-rate factor that is constant in the warm-up, then falls with the inverse square root of the step.

        max(s - start, W)^-0.5        with `normalized`, times √W, so that it starts at 1        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        warmup: W, the number of steps of the warm-up.
        normalized: Whether to multiply by √W.
        start: Number of steps to subtract from the step.

    Raises:
        ValueError: `warmup` is not positive.
    """

    def __init__(self, warmup: int, normalized: bool = False, start: int = 0) -> None:
        self.warmup = positive("warmup", warmup)
        self.normalized = normalized
        self.start = start

    def at(self, step: Any) -> Any:
        rate = ops.rsqrt(ops.maximum(step - self.start, float(self.warmup)))
        return rate * math.sqrt(self.warmup) if self.normalized else rate


@register
class HiddenDim(Schedule):
    """Learning-rate factor that depends only on the model's width, and is the same at every step.

        hidden_dim^-0.5

    Shapes:
        step () → () float32

    Args:
        hidden_dim: Width of the model.

    Raises:
        ValueError: `hidden_dim` is not positive.
    """

    def __init__(self, hidden_dim: int) -> None:
        self.hidden_dim = positive("hidden_dim", hidden_dim)

    def at(self, step: Any) -> Any:
        return ops.convert_to_tensor(self.hidden_dim**-0.5, dtype="float32")
