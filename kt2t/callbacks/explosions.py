"""Notices when the loss explodes, and says so, goes back to better weights, or ends training."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any, Literal, get_args

import keras

from kt2t.callbacks.pace import step_of
from kt2t.callbacks.stopping import is_stopping
from kt2t.errors import NumericsError
from kt2t.training.checkpoints import newest, restore, way_back
from kt2t.training.clipping import innermost
from kt2t.training.watching import EVERY

Policy = Literal["warn", "stop", "rollback"]
_RETURNS = 3
_logger = logging.getLogger("kt2t")


class Explosions(keras.callbacks.Callback):
    """Compares the loss of the steps since the last look with its running mean, every 16 steps and at each epoch end.

        mean ← mean + (loss - mean) · (1 - decay)        alarm where loss > ratio · max(mean, first / 10)

    `first` is the loss of the first look, so that a loss near zero may jump about. After an alarm the mean waits, and the
    next alarm comes when the loss was back below in between. What it has seen is in `state`, to be kept in checkpoints:
    so a run that is killed and goes on hears the same alarms. It stands before `Checkpointing`, so that a checkpoint is
    never of exploded weights that were noticed.

    To roll back is to take weights and optimizer of the newest whole checkpoint, while the count of steps, and with it
    the schedule and the data, goes on: so the batches that led there are not met again, and a run that is killed comes to
    the same. The third return to one checkpoint ends training instead.

    Args:
        policy: `warn`, `stop` with an error, or `rollback`.
        checkpoints: The folder of `Checkpointing`.
        state: What a checkpoint kept; None at the beginning of a run.
        ratio: Times the running mean that are an explosion.
        decay: Of the mean, for each look.
        looks: Looks that make the first mean, without alarms.

    Raises:
        ValueError: `ratio` is not above 1, `policy` is none of these, or `rollback` has no folder of checkpoints.
        NumericsError: From `fit`: the loss exploded, and the policy is to stop, or there is no way back.
    """

    def __init__(
        self,
        policy: Policy = "warn",
        checkpoints: str | Path | None = None,
        state: dict[str, Any] | None = None,
        ratio: float = 3.0,
        decay: float = 0.9,
        looks: int = 5,
    ) -> None:
        super().__init__()
        if policy not in get_args(Policy):
            raise ValueError(f"policy: {policy!r} is none of {', '.join(get_args(Policy))}.")
        if policy == "rollback" and checkpoints is None:
            raise ValueError("checkpoints: rollback needs their folder.")
        if ratio <= 1:
            raise ValueError(f"ratio: {ratio} is not above 1, so every loss would be an explosion.")
        self.policy = policy
        self.checkpoints = checkpoints
        self.ratio = ratio
        self.decay = decay
        self.looks = looks
        self.state = state

    @property
    def state(self) -> dict[str, Any]:
        """Plain values: mean, first loss, looks, whether the loss is above, the checkpoint gone back to and how often."""
        return dict(self._state)

    @state.setter
    def state(self, kept: dict[str, Any] | None) -> None:
        fresh = {"mean": 0.0, "first": 0.0, "looks": 0, "above": False, "back_to": None, "returns": 0}
        self._state: dict[str, Any] = {**fresh, **(kept or {})}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._seen_at = step_of(self.model)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._start = self._seen_at = step_of(self.model)
        self._tokens = self._sum = 0.0
        self._before = self._tokens_seen()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = self._start + batch + 1
        if step // EVERY > self._seen_at // EVERY:
            self._look(step, logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        step = step_of(self.model)
        if step > self._seen_at and not is_stopping(self.model):
            self._look(step, logs)

    def _look(self, step: int, logs: dict[str, Any] | None) -> None:
        loss = self._loss(step, logs)
        if loss is None or not math.isfinite(loss):  # steps without finite gradients are left out and watched elsewhere
            return
        state = self._state
        limit = self.ratio * max(state["mean"], state["first"] / 10)
        above = state["looks"] >= self.looks and loss > limit
        if above and not state["above"]:
            self._alarm(step, loss)
        state["above"] = above and self.policy != "rollback"
        if not above:
            state["looks"] += 1
            state["first"] = loss if state["looks"] == 1 else state["first"]
            weight = max(1 - self.decay, 1 / state["looks"])
            state["mean"] += (loss - state["mean"]) * weight

    def _loss(self, step: int, logs: dict[str, Any] | None) -> float | None:
        """The loss since the last look, out of Keras's mean since the epoch began; None where there was no weight."""
        if not logs or "loss" not in logs:
            return None
        tokens = self._tokens_seen() - self._before if self._before is not None else float(step - self._start)
        total = float(logs["loss"]) * tokens
        grown, added = tokens - self._tokens, total - self._sum
        self._tokens, self._sum, self._seen_at = tokens, total, step
        return added / grown if grown > 0 else None

    def _alarm(self, step: int, loss: float) -> None:
        mean = self._state["mean"]
        told = (
            f"the loss up to step {step} is {loss:.4g}, {loss / max(mean, 1e-30):.3g} times its running mean {mean:.4g}"
        )
        advice = "Lower the learning rate, lengthen its warm-up or clip the gradients."
        if self.policy == "warn":
            _logger.warning("%s. %s", told, advice)
            return
        if self.policy == "rollback" and self._rolled_back(step, told):
            return
        way_out = "" if self.checkpoints is None else f" {way_back(self.checkpoints)}"
        raise NumericsError(f"{told}. {advice}{way_out}")

    def _rolled_back(self, step: int, told: str) -> bool:
        """Takes the weights and the optimizer of the newest checkpoint, if there is one and it was not taken too often."""
        path = newest(self.checkpoints) if self.checkpoints is not None else None
        if path is None:
            return False
        same = self._state["back_to"] == path.name
        self._state.update(back_to=path.name, returns=self._state["returns"] + 1 if same else 1)
        if self._state["returns"] == _RETURNS:
            return False
        restore(path, self.model)
        innermost(self.model.optimizer).iterations.assign(step)
        _logger.warning("%s. Back to the weights of '%s'; the steps and the data go on.", told, path)
        return True

    def _tokens_seen(self) -> Any:
        seen = getattr(self.model, "tokens_seen", None)
        return None if seen is None else float(seen)
