"""Provides `Trainer`, the base class of kt2t's models, for the Keras backend in use (TensorFlow or JAX)."""

from __future__ import annotations

import keras

if keras.backend.backend() == "tensorflow":
    from kt2t.training.tensorflow_trainer import Trainer
elif keras.backend.backend() == "jax":
    from kt2t.training.jax_trainer import Trainer
else:
    raise ImportError(
        f"KERAS_BACKEND: kt2t trains on 'tensorflow' and 'jax', not on {keras.backend.backend()!r}. Set one of these."
    )

__all__ = ["Trainer"]
