"""Factors of the learning rate that decay, once or in cycles. The step s counts from 0; W is `warmup`, in steps."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from kt2t.options import positive
from kt2t.registry import register
from kt2t.training.schedules import Schedule


@register
class LinearToZero(Schedule):
    """Learning-rate factor that stays at 1, then falls linearly to 0 over the last `decay_steps` steps.

        clip((steps - s) / decay_steps, 0, 1)        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        steps: The step at which 0 is reached.
        decay_steps: Number of steps of the decay.

    Raises:
        ValueError: A number of steps is not positive.
    """

    def __init__(self, steps: int, decay_steps: int) -> None:
        self.steps = positive("steps", steps)
        self.decay_steps = positive("decay_steps", decay_steps)

    def at(self, step: Any) -> Any:
        return ops.clip((self.steps - step) / self.decay_steps, 0.0, 1.0)


@register
class CosineToZero(Schedule):
    """Learning-rate factor that decays along half a cosine, from 1 at the end of the warm-up to 0 at the end of training.

        ½ + ½ cos(π · max(s - W, 0) / (steps - W))        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        steps: The step at which 0 is reached: the steps of the whole training.
        warmup: W, the number of steps at the start at which the factor is 1.

    Raises:
        ValueError: `steps` is not above `warmup`.

    Source: Loshchilov and Hutter 2017, eq. 5, without restarts. Departs: stays at 0 after `steps`.
    """

    def __init__(self, steps: int, warmup: int = 0) -> None:
        if steps <= warmup:
            raise ValueError(f"steps: {steps} is not above warmup {warmup}. Make it the steps of the whole training.")
        self.steps = steps
        self.warmup = warmup

    def at(self, step: Any) -> Any:
        part = ops.clip((step - self.warmup) / (self.steps - self.warmup), 0.0, 1.0)
        return 0.5 + 0.5 * ops.cos(math.pi * part)


@register
class CosineCycles(Schedule):
    """Learning-rate factor that oscillates between 1 and 0 along a cosine.

        ½ + ½ cos(π · max(s - W, 0) / half_period)        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        half_period: Number of steps from 1 to 0.
        warmup: W, the number of steps at the start at which the factor is 1.

    Raises:
        ValueError: `half_period` is not positive.
    """

    def __init__(self, half_period: int, warmup: int = 0) -> None:
        self.half_period = positive("half_period", half_period)
        self.warmup = warmup

    def at(self, step: Any) -> Any:
        position = ops.mod(ops.maximum(step - self.warmup, 0.0), 2.0 * self.half_period)
        return 0.5 + 0.5 * ops.cos(math.pi * position / self.half_period)


@register
class DelayedCosine(Schedule):
    """Learning-rate factor of 1 during the warm-up, then a cosine that began at step 0, so that the value jumps at W.

        s ≤ W: 1        else: ½ (1 + cos(π · s / half_period))        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        half_period: Number of steps from the cosine's 1 to its 0.
        warmup: W, the number of steps at the start at which the factor is 1.

    Raises:
        ValueError: `half_period` is not positive.

    Source: Tensor2Tensor, utils/learning_rate.py, "cosdecay". Use `CosineToZero` in new recipes.
    """

    def __init__(self, half_period: int, warmup: int = 0) -> None:
        self.half_period = positive("half_period", half_period)
        self.warmup = warmup

    def at(self, step: Any) -> Any:
        cosine = 0.5 * (1.0 + ops.cos(math.pi * step / self.half_period))
        return ops.where(step <= self.warmup, 1.0, cosine)


@register
class DelayedExponential(Schedule):
    """Learning-rate factor of 1 during the warm-up, then decaying exponentially, by the factor `rate` every `decay_steps`.

        rate^(max(s - W, 0) / decay_steps)        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        rate: Factor by which the value changes every `decay_steps` steps, such as 0.5.
        decay_steps: Number of steps per factor.
        warmup: W, the number of steps at the start at which the factor is 1.
        staircase: Whether to round the exponent down, so that the value falls in steps.

    Raises:
        ValueError: `decay_steps` is not positive.
    """

    def __init__(self, rate: float, decay_steps: int, warmup: int = 0, staircase: bool = False) -> None:
        self.rate = rate
        self.decay_steps = positive("decay_steps", decay_steps)
        self.warmup = warmup
        self.staircase = staircase

    def at(self, step: Any) -> Any:
        exponent = ops.maximum(step - self.warmup, 0.0) / self.decay_steps
        return ops.power(self.rate, ops.floor(exponent) if self.staircase else exponent)


@register
class LinearCycles(Schedule):
    """Learning-rate factor that oscillates linearly between 0.3 and 3.3.

        3 · (1.1 - |(s mod 2n) - n| / n)        s: the step, from 0

    Shapes:
        step () → () float32

    Args:
        half_period: n, the number of steps from 0.3 to 3.3.

    Raises:
        ValueError: `half_period` is not positive.

    Source: Smith 2017; Tensor2Tensor, utils/learning_rate.py, "cyclelinear10x".
    """

    def __init__(self, half_period: int) -> None:
        self.half_period = positive("half_period", half_period)

    def at(self, step: Any) -> Any:
        distance = ops.abs(ops.mod(step, 2.0 * self.half_period) - self.half_period)
        return 3.0 * (1.1 - distance / self.half_period)
