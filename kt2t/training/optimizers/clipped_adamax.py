"""The AdaMax optimizer with clipping of its own, for recurrences of many steps."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kt2t.ops.randomness import Seed
from kt2t.registry import register

CLIP, CLIP_FLOOR = 1.2, 1e-4  # of the bound: the multiple of u, and the size that is never clipped


@register
class ClippedAdamax(keras.optimizers.Adamax):
    """AdaMax that bounds each element of a gradient by the largest that it has seen lately, and adds a little noise.

        g ← g + noise · rate · n                    n: truncated normal, a function of the step
        g ← clip(g, ± (1.2 · u + 1e-4))
        m ← β1 m + (1 - β1) g
        u ← max(β2 u, |g|)
        w ← w - rate · m / (u + ε)

    A recurrence of many steps has rare gradients that are thousands of times as large as others. Here one such gradient
    raises u by a fifth at most. The noise moves weights whose gradient is exactly zero, as that of a saturated hard activation
    is. There is no bias correction: m starts at 0, which is a short warm-up.

    β2 rises with the step t: 1 - β2 is `first_forgetting` · 0.5^(t / half_life), at least 1 - `beta_2`.

    Shapes:
        gradient and weight of any one shape

    Args:
        learning_rate: A number or a schedule.
        beta_1: β1, the decay of the mean of gradients m.
        beta_2: The largest β2, the decay of the bound u.
        first_forgetting: 1 - β2 at step 0.
        half_life: Steps in which 1 - β2 is halved.
        epsilon: The ε above.
        noise: Standard deviation of the noise, in units of the learning rate.
        weight_decay, use_ema: As in Keras.
        clipnorm, clipvalue, global_clipnorm: Further bounds, as in Keras; at most one of them.

    Raises:
        ValueError: `half_life` is not positive, or more than one kind of clipping is set.

    Source: Freivalds and Liepins 2018, section 4, with the numbers of their code; Kingma and Ba 2015, section 7.1.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.9995,
        first_forgetting: float = 0.01,
        half_life: float = 2000.0,
        epsilon: float = 1e-8,
        noise: float = 1e-4,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        name: str | None = "clipped_adamax",
    ) -> None:
        if half_life <= 0:
            raise ValueError(f"half_life: {half_life} is not positive. Theirs is 2000 steps.")
        super().__init__(
            learning_rate=float(learning_rate) if isinstance(learning_rate, int) else learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            name=name,
        )
        self.first_forgetting = first_forgetting
        self.half_life = half_life
        self.noise = noise

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        m, u = self._m[index], self._u[index]
        rate, gradient = ops.cast(learning_rate, variable.dtype), ops.cast(gradient, variable.dtype)
        if self.noise:
            gradient = gradient + self.noise * rate * self._noise(variable, index)
        bound = CLIP * u + CLIP_FLOOR
        gradient = ops.maximum(ops.minimum(gradient, bound), -bound)
        steps = ops.cast(self.iterations, "float32")
        forgetting = ops.maximum(self.first_forgetting * 0.5 ** (steps / self.half_life), 1.0 - self.beta_2)
        self.assign_add(m, (gradient - m) * (1.0 - self.beta_1))
        self.assign(u, ops.maximum((1.0 - ops.cast(forgetting, u.dtype)) * u, ops.abs(gradient)))
        self.assign_sub(variable, rate * m / (u + self.epsilon))

    def _noise(self, variable: Any, index: int) -> Any:
        dtype = "uint32" if keras.backend.backend() == "jax" else "int32"
        place = ops.stack([ops.cast(self.iterations, dtype), ops.cast(index, dtype)])
        return keras.random.truncated_normal(variable.shape, dtype=variable.dtype, seed=Seed(place))
