"""Detects a loss that explodes, and warns, rolls back to a checkpoint, or stops training."""

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
    """Callback that compares the training loss with its running mean, and raises an alarm if the loss explodes.

        alarm if loss > ratio · max(mean, first / 10)        else mean ← mean + (loss - mean) · (1 - decay)

    It compares every 16 steps and after an epoch's last step. `loss` is the mean over the steps since the last
    comparison. `first` is the first such mean; it keeps a loss near zero from raising alarms. The first few comparisons
    form a plain mean. After an alarm the loss must fall below the bound before the next alarm. Store `state` in
    checkpoints, so that a restarted run raises the same alarms. Place this callback before `Checkpointing`, so that no
    checkpoint has weights that are known to have exploded. After an epoch's last step it compares before the
    evaluation, or after it if Keras does not know which step is the last.

    A rollback loads the weights and the optimizer of the newest intact checkpoint. The step count, and with it the
    schedule and the data, continues, so the batches that led to the explosion do not come again. The third rollback to
    the same checkpoint stops training instead.

    Args:
        policy: The reaction to an alarm: `warn`, `stop` with an error, or `rollback`.
        checkpoints: The folder that `Checkpointing` writes to; needed for `rollback`.
        state: The `state` from a checkpoint; None at the beginning of a run.
        ratio: A loss above `ratio` times the running mean is an explosion.
        decay: Decay of the mean per comparison.
        looks: Number of comparisons at the start that only build the mean and raise no alarm.

    Raises:
        ValueError: `ratio` is not above 1, `policy` is unknown, or `rollback` has no folder of checkpoints.
        NumericsError: From `fit`: the loss exploded, and the policy is `stop`, or there is no checkpoint to return to.
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
        self._step = self._start = 0
        self._loss: float | None = None
        self._before: float | None = None
        self.state = state

    @property
    def state(self) -> dict[str, Any]:
        """A dict of plain values to store in checkpoints, from which a restarted run continues the comparisons.

        It holds the mean, the first loss, the number of comparisons, whether the loss is above the bound, the
        checkpoint of the last rollback and the number of rollbacks to it, the step of the last comparison, and the
        weight and summed loss since that step.
        """
        weight, total = self._since()
        return {**self._state, "weight": weight, "sum": total}

    @state.setter
    def state(self, kept: dict[str, Any] | None) -> None:
        fresh = {"mean": 0.0, "first": 0.0, "looks": 0, "above": False, "back_to": None, "returns": 0}
        since = {"seen_at": None, "weight": 0.0, "sum": 0.0}
        self._state: dict[str, Any] = {**fresh, **since, **(kept or {})}
        self._forget_epoch()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        step, seen_at = step_of(self.model), self._state["seen_at"]
        if seen_at is None or seen_at > step:
            self._state.update(seen_at=step, weight=0.0, sum=0.0)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._forget_epoch()
        self._start = self._step = step_of(self.model)
        self._before = self._tokens_seen()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._note(self._start + batch + 1, logs)
        last = batch + 1 == (self.params or {}).get("steps")
        if last or self._step // EVERY > self._state["seen_at"] // EVERY:
            self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self._step > self._state["seen_at"] and not is_stopping(self.model):
            self._look()

    def _look(self) -> None:
        step, state = self._step, self._state
        weight, total = self._since()
        state.update(seen_at=step, weight=0.0, sum=0.0)
        self._compared = self._in_epoch()
        loss = total / weight if weight > 0 else math.nan
        if not math.isfinite(loss):  # the trainer skips steps without finite gradients, and watches them itself
            return
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

    def _forget_epoch(self) -> None:
        self._loss, self._compared = None, (0.0, 0.0)

    def _note(self, step: int, logs: dict[str, Any] | None) -> None:
        self._step, self._loss = step, (logs or {}).get("loss")

    def _in_epoch(self) -> tuple[float, float]:
        """Returns the weight and the summed loss since the epoch, or the `fit`, began, from Keras's loss, which is the
        mean since then.
        """
        if self._loss is None:
            return self._compared
        weight = float(self._step - self._start) if self._before is None else self._tokens_seen() - self._before
        return weight, float(self._loss) * weight

    def _since(self) -> tuple[float, float]:
        """Returns the weight and the summed loss since the last comparison, including steps of an earlier `fit`."""
        (weight, total), (known, of_these) = self._in_epoch(), self._compared
        found = self._state["weight"] + weight - known, self._state["sum"] + total - of_these
        return found if math.isfinite(found[1]) else (0.0, 0.0)

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
        """Restores the newest checkpoint; returns False if there is none or if it has been restored too often."""
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
        tokens = getattr(self.model, "tokens_seen", None)
        return None if tokens is None else float(tokens)
