"""Connects the workers of a run, lets them compare facts, and reports workers that are lost. Needs TensorFlow."""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import hashlib
import json
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from kt2t.errors import RecipeError
from kt2t.training.workers.clusters import resolver
from kt2t.training.workers.peers import PATIENCE, end_without, gone, meet, part

Result = TypeVar("Result")
GRACE = 60.0


def multi_worker_strategy(patience: float = PATIENCE) -> Any:
    """Returns a TensorFlow strategy over all workers that `TF_CONFIG`, SLURM or Kubernetes name, once all are connected.

    Args:
        patience: Maximum number of seconds to wait for the other workers.

    Raises:
        ValueError: `TF_CONFIG`, SLURM or Kubernetes describe no valid cluster, or TensorFlow was used before this call.
        OSError: Kubernetes does not answer.
        ConnectionError: Another worker did not connect in time, or this worker's own address is in use.
    """
    import tensorflow as tf

    found = resolver(patience)
    cluster = found.cluster_spec()
    everyone = [address for job in ("chief", "worker") for address in cluster.as_dict().get(job, [])]
    peers = meet(cluster.task_address(found.task_type, found.task_id), everyone, patience)
    # TensorFlow waits while it holds Python's lock: only the C side can end that, and only with status 1.
    faulthandler.dump_traceback_later(patience + GRACE, exit=True)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=found)
        peers.watch(end_without)
        _take_back(signal.SIGTERM)
        return strategy
    except RuntimeError as error:
        raise RecipeError(
            f"train.strategy: {error}. Make the strategy of several workers before anything else of TensorFlow is used."
        ) from None
    finally:
        faulthandler.cancel_dump_traceback_later()


@functools.cache
def the_multi_worker_strategy() -> Any:
    """Returns this process's TensorFlow strategy over all workers; the first call makes it and waits for the workers.

    There is one per process: TensorFlow numbers the sums over replicas from the start for each strategy, so it would
    confuse the first sum of a second strategy with the first sum of the first strategy.
    """
    return multi_worker_strategy()


class Team:
    """The workers of a run, which exchange flags and compare facts; a run in one process is a team of one.

    Args:
        name: The value of `train.strategy`.

    Raises:
        ValueError, OSError: See `multi_worker_strategy`.

    Attributes:
        count: Number of workers.
        first: Whether this worker writes files and decides for all.
    """

    def __init__(self, name: str = "none") -> None:
        self._replicas: Any = None
        self.count, self.first = 1, True
        if name == "multi_worker":
            from kt2t.training.replicas import Replicas
            from kt2t.training.workers.team import the_multi_worker_strategy

            self._replicas = Replicas(the_multi_worker_strategy())
            self.count, self.first = self._replicas.workers, self._replicas.worker == 0

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Checks that all workers have the same facts. Waits until every worker has called it.

        Args:
            facts: JSON values, by the names to use in the error message.

        Raises:
            ValueError: Some facts differ between workers; the message names these facts.
        """
        if differing := self.differing(facts):
            raise RecipeError(
                f"the workers do not have the same {', '.join(differing)}. Start all of them with the same recipe, data and "
                "versions, and with a run folder that all of them see.",
                path="train.strategy",
            )

    def differing(self, facts: Mapping[str, Any]) -> list[str]:
        """Returns the names of the facts that differ between workers. Waits until every worker has called it.

        Args:
            facts: JSON values by name.
        """
        mine = np.array([_digest(value) for value in facts.values()], np.int32)
        everyone = self._gathered(mine)
        return [name for place, name in enumerate(facts) if (everyone[:, place] != everyone[0, place]).any()]

    def broadcast(self, flag: bool) -> bool:
        """Returns the first worker's `flag` on every worker. Waits until every worker has called it."""
        return bool(self._gathered(np.array([flag], np.int32))[0, 0])

    def in_turn(self, function: Callable[[], Result]) -> Result:
        """Calls `function` on the first worker, then on all others at once, and returns its result on each worker.

        The others wait until the first worker has finished, for example to read the files that it writes.
        """
        found = function() if self.first else None
        self.broadcast(True)
        return found if self.first else function()  # type: ignore[return-value]

    def part(self) -> None:
        """Waits until all workers have finished, and until no other worker needs this process any more. Call it at the end."""
        if self.count > 1:
            self.broadcast(True)
            part(last=self.first)

    def together(self) -> contextlib.AbstractContextManager[None]:
        """Returns a context manager that turns TensorFlow's errors about lost workers into `PeerError`.

        It does nothing if there is only one worker.
        """
        return losing_peers() if self.count > 1 else contextlib.nullcontext()

    def _gathered(self, mine: np.ndarray) -> np.ndarray:
        """Returns the stacked arrays of all workers: (…) int32 → (workers, …) int32."""
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
    """Turns TensorFlow's errors about lost workers into `PeerError` inside the `with` block.

    Raises:
        ConnectionError: Another worker is gone. TensorFlow cannot continue in this process.
    """
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        if not _is_about_peers(str(error)):
            raise
        raise gone() from None


def _take_back(number: int) -> None:
    """Sets Python's handler of a signal again: TensorFlow's preemption notifier took SIGTERM for itself."""
    with contextlib.suppress(ValueError, TypeError):  # not the main thread; no handler that Python knows
        signal.signal(number, signal.getsignal(number))


def _digest(value: Any) -> list[int]:
    digest = hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).digest()
    return [int.from_bytes(digest[at : at + 2], "big") for at in range(0, 32, 2)]  # 16 bits: sums stay exact


def _is_about_peers(message: str) -> bool:
    signs = (
        "Collective ops is aborted",
        "CoordinationService",
        "Socket closed",
        "Connection reset",
        "failed to connect",
    )
    return any(sign in message for sign in signs)
