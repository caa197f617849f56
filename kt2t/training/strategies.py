"""Selects the devices on which training runs."""

from __future__ import annotations

import contextlib
import functools
from contextlib import AbstractContextManager
from typing import Any

from kt2t.errors import RecipeError
from kt2t.options import nearest
from kt2t.training.workers.team import the_multi_worker_strategy

STRATEGIES = ("auto", "none", "mirrored", "multi_worker", "tpu")


def strategy_scope(name: str = "auto") -> AbstractContextManager[Any]:
    """Returns a context manager; a model that is made and compiled inside it trains on the chosen devices.

    Args:
        name: `none` for one device; `mirrored` for every GPU of this machine, or every logical CPU if it has no GPU;
            `multi_worker` for all processes that `TF_CONFIG`, SLURM or Kubernetes name; `tpu` for all cores of a TPU;
            `auto` for `mirrored` if there are several GPUs, else `none`.

    Raises:
        ValueError: The strategy does not exist, or not on the Keras backend in use.
        ConnectionError: The other workers, or the TPU, cannot be reached.
    """
    if name not in STRATEGIES:
        raise RecipeError(f"strategy: there is no {name!r}. {nearest(name, STRATEGIES)}".rstrip())
    import keras

    if keras.backend.backend() != "tensorflow":
        if name in ("none", "auto"):
            return contextlib.nullcontext()
        raise RecipeError(f"strategy: {name!r} is TensorFlow's. Use none on {keras.backend.backend()}.")
    if name == "auto":
        import tensorflow as tf

        name = "mirrored" if len(tf.config.list_logical_devices("GPU")) > 1 else "none"
    if name == "none":
        return contextlib.nullcontext()
    made = {"mirrored": _mirrored, "multi_worker": the_multi_worker_strategy, "tpu": _tpu}[name]()
    scope: AbstractContextManager[Any] = made.scope()
    return scope


# One strategy of each kind per process: TensorFlow numbers the sums over replicas from the start for each strategy, so it
# would confuse the first sum of a second strategy with the first sum of the first strategy.
@functools.cache
def _mirrored() -> Any:
    import tensorflow as tf

    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        return tf.distribute.MirroredStrategy()
    processors = [device.name for device in tf.config.list_logical_devices("CPU")]
    # Sums on one device, in one order, so that results repeat to the last bit.
    return tf.distribute.MirroredStrategy(processors, cross_device_ops=tf.distribute.ReductionToOneDevice())


@functools.cache
def _tpu() -> Any:
    import tensorflow as tf

    from kt2t.errors import PeerError

    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        first = str(error).strip().splitlines()[0]
        raise PeerError(f"train.strategy: no TPU can be reached: {first} Use auto or none here.") from None
    return tf.distribute.TPUStrategy(resolver)
