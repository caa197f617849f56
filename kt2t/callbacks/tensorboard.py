"""Shows a run in TensorBoard: curves, the problem's views (texts and pictures), and the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kt2t.callbacks.event_file import EventFile
from kt2t.callbacks.logs import training, validation
from kt2t.callbacks.pace import Pace, step_of
from kt2t.callbacks.stopping import is_stopping
from kt2t.callbacks.views.attention import AttentionMaps
from kt2t.callbacks.views.view import proposed, rendered

_WATCHED = ("learning_rate", "gradient_norm", "bad_steps")


class TensorBoard(keras.callbacks.Callback):
    """Callback that writes a run's curves, texts and pictures for TensorBoard.

    | tag | value | written |
    | --- | --- | --- |
    | `loss` | training loss and validation loss, in one chart at the top | as in the next two rows |
    | `train/…` | the loss since the last point; metrics, if training computes them | every `every` steps; each epoch |
    | `validation/…` | the loss, the metrics and the scores | each epoch |
    | `speed/…` | tokens and steps per second, share of the time spent waiting for input | every `every` steps |
    | `watch/…` | learning rate, norm of the gradient, number of skipped steps | every `every` steps |

    At each epoch end it also writes the texts and pictures of the views, such as decoded examples and attention. The
    files are in the folders `train` and `validation`, which TensorBoard shows as two runs. If a run continues at an
    earlier step, its new points replace the old ones. Place this callback after `Scoring` and `Checkpointing`, so that
    the scores are in the logs and the weights are saved.

    Args:
        folder: Folder of the event files, which are in its `train/` and `validation/`.
        problem: The problem, which supplies views, samples and names. Without it there are only curves.
        sample: Features of a batch to show, in place of the problem's sample.
        recipe_text: The run's recipe as YAML, shown as text.
        decode: How to search for the decoded examples; by default the model's own search.
        attention_maps: Whether to draw attention.
        samples: Number of examples to decode; 0 for none.
        every: Number of steps between two points.
        views: Views to show, each with `render(model) → {tag: text or PNG}`; by default those that `problem.views()`
            proposes.

    Raises:
        ValueError: `every` is not positive or `samples` is negative.
    """

    def __init__(
        self,
        folder: str | Path,
        problem: Any = None,
        sample: Mapping[str, Any] | None = None,
        recipe_text: str | None = None,
        decode: Any = None,
        attention_maps: bool = True,
        samples: int = 5,
        every: int = 50,
        views: Sequence[Any] | None = None,
    ) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every: {every} is not positive.")
        if samples < 0:
            raise ValueError(f"samples: {samples} is negative. 0 decodes nothing.")
        self.folder = Path(folder)
        self.every = every
        self._recipe_text = recipe_text
        if views is not None:
            self.views = list(views)
        elif problem is not None:
            self.views = proposed(problem, decode, samples, attention_maps, sample)
        else:
            self.views = [AttentionMaps(sample=sample)] if attention_maps and sample is not None else []
        self._train = self._validation = EventFile(self.folder)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        start = step_of(self.model)
        self._train = EventFile(self.folder / "train", start)
        self._validation = EventFile(self.folder / "validation", start)
        self._pace = Pace(self.model)
        self._window = _Window(self.model)
        self._written = start
        if self._recipe_text:
            recipe, self._recipe_text = self._recipe_text, None  # written once, even if a run calls `fit` several times
            self._train.text(start, "recipe", "\n".join(f"    {line}" for line in recipe.splitlines()))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._first_step = step_of(self.model)
        self._window.restart()
        self._pace.resume()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = self._first_step + batch + 1
        self._pace.tick(step)
        # Also at the last step of an epoch, before the checkpoint is saved: a run continued there has complete curves.
        if step % self.every == 0 or batch + 1 == (self.params or {}).get("steps"):
            self._write_curves(step, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        step = step_of(self.model)
        if step != self._written:
            self._write_curves(step, logs or {})
        self.write_epoch(step, logs)
        if is_stopping(self.model):  # there is no time for pictures
            return
        for tag, shown in rendered(self.views, self.model).items():
            if isinstance(shown, bytes):
                self._validation.image(step, tag, shown)
            else:
                self._validation.text(step, tag, shown)

    def write_epoch(self, step: int, logs: Mapping[str, Any] | None) -> None:
        """Writes an epoch's metrics, in training and validation, as points of their curves at `step`.

        `on_epoch_end` calls it. A restarted run calls it too, if the run was killed after saving but before writing.

        Args:
            step: The step at the epoch's end.
            logs: The epoch's logs.
        """
        metrics = training(logs)
        further = [name for name in metrics if name not in ("loss", *_WATCHED)]
        self._train.scalars(step, {f"train/{name}": metrics[name] for name in further})
        if not is_stopping(self.model):
            measured = validation(logs)
            top = {"loss": measured["loss"]} if "loss" in measured else {}
            self._validation.scalars(step, {**top, **{f"validation/{name}": measured[name] for name in measured}})

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._train.close()
        self._validation.close()

    def _write_curves(self, step: int, logs: Mapping[str, Any]) -> None:
        values: dict[str, float] = {}
        if "loss" in logs:
            values["loss"] = values["train/loss"] = self._window.loss(float(logs["loss"]))
        watched = {name: float(logs[name]) for name in _WATCHED if name in logs}
        watched.setdefault("learning_rate", _number(self.model.optimizer.learning_rate))
        values.update({f"watch/{name}": value for name, value in watched.items()})
        values.update({f"speed/{name}": value for name, value in self._pace.read().items()})
        self._train.scalars(step, values)
        self._written = step


class _Window:
    """Computes the mean loss since the last point from Keras's mean loss since the beginning of the epoch.

    With W the summed weight and L the mean loss over it: (L2 · W2 - L1 · W1) / (W2 - W1).
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.restart()

    def restart(self) -> None:
        self._before = self._tokens()
        self._weight = self._mean = 0.0

    def loss(self, mean: float) -> float:
        tokens = self._tokens()
        if tokens is None or self._before is None:
            return mean
        weight = tokens - self._before
        grown = weight - self._weight
        loss = (mean * weight - self._mean * self._weight) / grown if grown > 0 else mean
        self._weight, self._mean = weight, mean
        return loss

    def _tokens(self) -> float | None:
        tokens = getattr(self._model, "tokens_seen", None)
        return None if tokens is None else float(tokens)


def _number(value: Any) -> float:
    return float(np.asarray(keras.ops.convert_to_numpy(value)))
