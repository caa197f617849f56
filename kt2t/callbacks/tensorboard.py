"""A run in TensorBoard: curves, decoded examples, attention maps and the recipe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kt2t.callbacks.attention_maps import AttentionMaps
from kt2t.callbacks.decoded_text import DecodedText, markdown
from kt2t.callbacks.event_file import EventFile
from kt2t.callbacks.logs import training, validation
from kt2t.callbacks.pace import Pace, step_of
from kt2t.callbacks.stopping import is_stopping

_EVERY_STEP = ("learning_rate", "gradient_norm", "bad_steps")


class TensorBoard(keras.callbacks.Callback):
    """Writes what TensorBoard shows of a run, as two runs `train` and `validation` whose curves lie over each other.

    Every `every` steps and at each epoch end: loss since the last point, learning rate, norm of the gradient, tokens
    and steps per second, share of the time spent waiting for input. At each epoch end also the metrics, the validation
    values and, with a problem, decoded examples and attention maps. A run that goes on at an earlier step replaces its
    points. It stands after `Scoring` and `Checkpointing`, so that the scores are there and the weights are safe.

    Args:
        folder: Where the event files go, in `train/` and `validation/`.
        problem: Gives samples and turns ids into text; without one there are only curves.
        sample: The features of a batch to decode and draw, in place of the problem's.
        recipe_text: The run's recipe as YAML, shown as text.
        decode: How to search for the decoded examples; the model's own default without one.
        attention_maps: Whether to draw them.
        samples: How many examples are decoded; 0 for none.
        every: In steps, how often a point is written.

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
    ) -> None:
        super().__init__()
        if every < 1:
            raise ValueError(f"every: {every} is not positive.")
        if samples < 0:
            raise ValueError(f"samples: {samples} is negative. 0 decodes nothing.")
        self.folder = Path(folder)
        self.every = every
        self._recipe_text = recipe_text
        self._text = DecodedText(problem, decode, samples, sample) if problem is not None and samples else None
        seen = problem is not None or sample is not None
        self._maps = AttentionMaps(problem, sample=sample) if attention_maps and seen else None
        self._train = self._validation = EventFile(self.folder)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        start = step_of(self.model)
        self._train = EventFile(self.folder / "train", start)
        self._validation = EventFile(self.folder / "validation", start)
        self._pace = Pace(self.model)
        self._window = _Window(self.model)
        self._written = start
        if self._recipe_text:
            recipe, self._recipe_text = self._recipe_text, None  # once, though a run may call `fit` more than once
            self._train.text(start, "recipe", "\n".join(f"    {line}" for line in recipe.splitlines()))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._first_step = step_of(self.model)
        self._window.restart()
        self._pace.resume()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        step = self._first_step + batch + 1
        self._pace.tick(step)
        # At the end of an epoch before anything saves: a run that goes on there finds its curves whole.
        if step % self.every == 0 or batch + 1 == (self.params or {}).get("steps"):
            self._write_curves(step, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        step = step_of(self.model)
        if step != self._written:
            self._write_curves(step, logs or {})
        self.write_epoch(step, logs)
        # A run told to stop has no time for pictures.
        if self._text is not None and hasattr(self.model, "generate") and not is_stopping(self.model):
            self._validation.text(step, "decoded", markdown(self._text.rows(self.model)))
        if self._maps is not None and not is_stopping(self.model):
            for name, png in self._maps.maps(self.model).items():
                self._validation.image(step, f"attention/{name}", png)

    def write_epoch(self, step: int, logs: Mapping[str, Any] | None) -> None:
        """Writes what an epoch's end adds to the curves; `fit` does so too where a kill came between saving and this."""
        metrics = training(logs)
        self._train.scalars(step, {name: metrics[name] for name in metrics if name not in ("loss", *_EVERY_STEP)})
        if not is_stopping(self.model):
            self._validation.scalars(step, validation(logs))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._train.close()
        self._validation.close()

    def _write_curves(self, step: int, logs: Mapping[str, Any]) -> None:
        values = {name: float(logs[name]) for name in _EVERY_STEP if name in logs}
        values.setdefault("learning_rate", _number(self.model.optimizer.learning_rate))
        if "loss" in logs:
            values["loss"] = self._window.loss(float(logs["loss"]))
        self._train.scalars(step, {**values, **self._pace.read()})
        self._written = step


class _Window:
    """The loss since the last point, out of Keras's mean since the epoch began.

    With W the weight seen and L the mean over it: (L2 · W2 - L1 · W1) / (W2 - W1).
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.restart()

    def restart(self) -> None:
        self._before = self._seen()
        self._weight = self._mean = 0.0

    def loss(self, mean: float) -> float:
        seen = self._seen()
        if seen is None or self._before is None:
            return mean
        weight = seen - self._before
        grown = weight - self._weight
        loss = (mean * weight - self._mean * self._weight) / grown if grown > 0 else mean
        self._weight, self._mean = weight, mean
        return loss

    def _seen(self) -> float | None:
        seen = getattr(self._model, "tokens_seen", None)
        return None if seen is None else float(seen)


def _number(value: Any) -> float:
    return float(np.asarray(keras.ops.convert_to_numpy(value)))
