"""Several processes that train one model: how they find each other, agree and lose each other; TensorFlow."""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from kt2t.errors import RecipeError
from kt2t.training.peers import PATIENCE, end_without, gone, meet

Result = TypeVar("Result")
GRACE = 60.0


def multi_worker_strategy(patience: float = PATIENCE) -> Any:
    """The strategy of all workers that `TF_CONFIG`, SLURM or Kubernetes tell of; returns when all have come.

    Args:
        patience: Seconds to wait for the others.

    Raises:
        ValueError: `TF_CONFIG` cannot be meant, or TensorFlow was used before the workers have met.
        ConnectionError: Another worker did not come in time, or this one's own address is in use.
    """
    import tensorflow as tf

    resolver = _resolver()
    cluster = resolver.cluster_spec()
    everyone = [address for job in ("chief", "worker") for address in cluster.as_dict().get(job, [])]
    peers = meet(cluster.task_address(resolver.task_type, resolver.task_id), everyone, patience)
    # TensorFlow waits while it holds Python's lock: only the C side can end that, and only with status 1.
    faulthandler.dump_traceback_later(patience + GRACE, exit=True)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
        peers.watch(end_without)
        return strategy
    except RuntimeError as error:
        raise RecipeError(
            f"train.strategy: {error}. Make the strategy of several workers before anything else of TensorFlow is used."
        ) from None
    finally:
        faulthandler.cancel_dump_traceback_later()


class Team:
    """The workers of a run, as one of them sees them; a run on one machine is a team of one.

    Args:
        name: `train.strategy`.

    Raises:
        ValueError, ConnectionError: As `multi_worker_strategy` says.

    Attributes:
        count: Workers.
        first: Whether this one writes and speaks for all.
    """

    def __init__(self, name: str = "none") -> None:
        self._replicas: Any = None
        self.count, self.first = 1, True
        if name == "multi_worker":
            from kt2t.training.replicas import Replicas
            from kt2t.training.strategies import the_multi_worker_strategy

            self._replicas = Replicas(the_multi_worker_strategy())
            self.count, self.first = self._replicas.workers, self._replicas.worker == 0

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Holds what this worker knows against what the others know; returns when all have said it.

        Args:
            facts: By what they are called in an error.

        Raises:
            ValueError: The workers do not agree; what differs is named.
        """
        mine = np.array([_digest(value) for value in facts.values()], np.int32)
        everyone = self._told(mine)
        differing = [name for place, name in enumerate(facts) if (everyone[:, place] != everyone[0, place]).any()]
        if differing:
            raise RecipeError(
                f"the workers do not have the same {', '.join(differing)}. Start all of them with the same recipe, data and "
                "versions, and with a run folder that all of them see.",
                path="train.strategy",
            )

    def said(self, word: bool) -> bool:
        """The word of the first worker."""
        return bool(self._told(np.array([word], np.int32))[0, 0])

    def in_turn(self, function: Callable[[], Result]) -> Result:
        """What `function` gives to each worker; the first one is through before the others begin."""
        found = function() if self.first else None
        self.said(True)
        return found if self.first else function()  # type: ignore[return-value]

    def together(self) -> contextlib.AbstractContextManager[None]:
        """Within it TensorFlow's errors about the other workers are a `PeerError`."""
        return losing_peers() if self.count > 1 else contextlib.nullcontext()

    def _told(self, mine: np.ndarray) -> np.ndarray:
        """(workers, …) int32, what each worker gives."""
        if self.count == 1:
            return mine[None]
        import tensorflow as tf

        rows = np.zeros((self.count, *mine.shape), np.int32)
        rows[self._replicas.worker] = mine
        everyone = self._replicas.everywhere(tf.constant(rows))
        found: np.ndarray = everyone.numpy() // self._replicas.local
        return found


@contextlib.contextmanager
def losing_peers() -> Iterator[None]:
    """Takes TensorFlow's errors about the other workers for what they mean.

    Raises:
        ConnectionError: Another worker is gone. TensorFlow cannot go on in this process.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        if not _is_about_peers(str(error)):
            raise
        raise gone() from None


def _digest(value: Any) -> list[int]:
    digest = hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).digest()
    return [int.from_bytes(digest[at : at + 2], "big") for at in range(0, 32, 2)]  # small, so that sums stay exact


def _resolver() -> Any:
    import tensorflow as tf

    resolvers = tf.distribute.cluster_resolver
    if "TF_CONFIG" in os.environ:
        _check_config(os.environ["TF_CONFIG"])
        return resolvers.TFConfigClusterResolver()
    if "SLURM_STEP_NODELIST" in os.environ:
        return resolvers.SlurmClusterResolver()
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return resolvers.KubernetesClusterResolver()
    raise RecipeError(
        "train.strategy: 'multi_worker' finds no other workers: there is no TF_CONFIG, and this is neither SLURM nor "
        "Kubernetes. For several workers on this machine use `kt2t launch --workers N RECIPE`."
    )


def _check_config(text: str) -> None:
    """Refuses a `TF_CONFIG` that TensorFlow would misread or wait on for ever."""
    try:
        config = json.loads(text)
        workers = [*config["cluster"].get("chief", []), *config["cluster"].get("worker", [])]
        kind, index = config["task"]["type"], int(config["task"]["index"])
        known = config["cluster"][kind]
        addresses = [(address, *address.rsplit(":", 1)) for address in workers]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecipeError(
            f"TF_CONFIG: {text!r} cannot be meant ({type(error).__name__}: {error}). It should be like "
            '{"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker", "index": 0}}.'
        ) from None
    if not 0 <= index < len(known):
        raise RecipeError(f"TF_CONFIG: task.index {index} is not one of the {len(known)} of {kind!r}, counted from 0.")
    for address, *parts in addresses:
        if len(parts) != 2 or not parts[1].isdigit():
            raise RecipeError(f"TF_CONFIG: {address!r} is no address. It should be like 'host:2222'.")
    if len(set(workers)) < len(workers):
        raise RecipeError("TF_CONFIG: two workers have the same address.")


def _is_about_peers(message: str) -> bool:
    signs = (
        "Collective ops is aborted",
        "CoordinationService",
        "Socket closed",
        "Connection reset",
        "failed to connect",
    )
    return any(sign in message for sign in signs)
