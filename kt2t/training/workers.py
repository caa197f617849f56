"""Several processes that train one model: how they find each other, agree and lose each other; TensorFlow."""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import json
import signal
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from kt2t.errors import RecipeError
from kt2t.training.clusters import resolver
from kt2t.training.peers import PATIENCE, end_without, gone, meet, part

Result = TypeVar("Result")
GRACE = 60.0


def multi_worker_strategy(patience: float = PATIENCE) -> Any:
    """The strategy of all workers that `TF_CONFIG`, SLURM or Kubernetes tell of; returns when all have come.

    Args:
        patience: Seconds to wait for the others.

    Raises:
        ValueError: What tells of the workers cannot be meant, or TensorFlow was used before they have met.
        OSError: Kubernetes does not answer.
        ConnectionError: Another worker did not come in time, or this one's own address is in use.
    """
    import tensorflow as tf

    told = resolver(patience)
    cluster = told.cluster_spec()
    everyone = [address for job in ("chief", "worker") for address in cluster.as_dict().get(job, [])]
    peers = meet(cluster.task_address(told.task_type, told.task_id), everyone, patience)
    # TensorFlow waits while it holds Python's lock: only the C side can end that, and only with status 1.
    faulthandler.dump_traceback_later(patience + GRACE, exit=True)
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=told)
        peers.watch(end_without)
        _take_back(signal.SIGTERM)
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
        ValueError, OSError: As `multi_worker_strategy` says.

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
        if differing := self.differing(facts):
            raise RecipeError(
                f"the workers do not have the same {', '.join(differing)}. Start all of them with the same recipe, data and "
                "versions, and with a run folder that all of them see.",
                path="train.strategy",
            )

    def differing(self, facts: Mapping[str, Any]) -> list[str]:
        """The names of what the workers do not know alike; returns when all have said it."""
        mine = np.array([_digest(value) for value in facts.values()], np.int32)
        everyone = self._told(mine)
        return [name for place, name in enumerate(facts) if (everyone[:, place] != everyone[0, place]).any()]

    def said(self, word: bool) -> bool:
        """The word of the first worker."""
        return bool(self._told(np.array([word], np.int32))[0, 0])

    def in_turn(self, function: Callable[[], Result]) -> Result:
        """What `function` gives to each worker; the first one is through before the others begin."""
        found = function() if self.first else None
        self.said(True)
        return found if self.first else function()  # type: ignore[return-value]

    def part(self) -> None:
        """Ends the work of all; returns when nobody needs this worker any more."""
        if self.count > 1:
            self.said(True)
            part(last=self.first)

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


def _take_back(number: int) -> None:
    """Lets a signal go where Python sends it: TensorFlow's notifier of preemption takes SIGTERM and tells nobody."""
    with contextlib.suppress(ValueError, TypeError):  # not the main thread; no handler that Python knows
        signal.signal(number, signal.getsignal(number))


def _digest(value: Any) -> list[int]:
    digest = hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).digest()
    return [int.from_bytes(digest[at : at + 2], "big") for at in range(0, 32, 2)]  # small, so that sums stay exact


def _is_about_peers(message: str) -> bool:
    signs = (
        "Collective ops is aborted",
        "CoordinationService",
        "Socket closed",
        "Connection reset",
        "failed to connect",
    )
    return any(sign in message for sign in signs)
