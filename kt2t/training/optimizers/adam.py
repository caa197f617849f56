"""The Adam optimizer, with the update of a weight fused into one operation on TensorFlow."""

from __future__ import annotations

from typing import Any

import keras

from kt2t.registry import register


@register
class Adam(keras.optimizers.Adam):
    """The Adam optimizer with Keras's numbers and slots, but faster on TensorFlow.

        m ← m + (1 - β1)(g - m)        v ← v + (1 - β2)(g² - v)
        w ← w - rate · √(1 - β2^t) / (1 - β1^t) · m / (√v + ε)

    The slots are the same as those of `keras.optimizers.Adam`, and so are the numbers, to float32 rounding. On
    TensorFlow one fused operation applies a dense float32 gradient; in other cases Keras's code runs. For AMSGrad use
    Keras's class.

    Shapes:
        gradient and weight of any one shape

    Args:
        learning_rate: A number or a schedule.
        beta_1: β1, the decay of the mean of gradients m.
        beta_2: β2, the decay of the mean of squared gradients v.
        epsilon: The ε above, which Kingma and Ba call ε-hat.
        weight_decay: Decoupled weight decay: `rate · weight_decay · w` is first subtracted from the weight.
        clipnorm, clipvalue, global_clipnorm: Bounds for clipping, as in Keras; at most one of them. kt2t's trainers
            clip the summed gradient.
        use_ema: Whether to keep a moving average of the weights; the other `ema_` options configure it.

    Raises:
        ValueError: More than one kind of clipping is set, or `ema_momentum` is not between 0 and 1.

    Source: Kingma and Ba 2015, section 2.1, the last formula.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = "adam",
    ) -> None:
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
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
        )

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if keras.backend.backend() != "tensorflow" or not self._update_fused(gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)

    def _update_fused(self, gradient: Any, variable: Any, learning_rate: Any) -> bool:
        """Updates a weight and its slots in one operation; returns False if gradient or weight are not dense float32."""
        import tensorflow as tf

        if not isinstance(gradient, tf.Tensor) or gradient.dtype != tf.float32 or variable.dtype != tf.float32:
            return False
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )
        return True
