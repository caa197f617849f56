"""What all models share: which fields they read, and weights that follow from the features alone."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from kt2t.features import Feature, MultiLabel, Numbers, Tags
from kt2t.ops.randomness import name_layers
from kt2t.registry import build
from kt2t.training.trainer import Trainer

Tensor = Any


class Model(Trainer):
    """A model of kt2t: built from features, trained by `compile` and `fit`.

    A subclass makes its layers in the constructor, says in `reads` which fields it takes besides `inputs` and
    `targets`, and has `call(features, training=None)`, which returns logits. `takes_packed_rows` says whether examples
    that share a row are to it as examples in rows of their own.

    Args:
        features: The problem's fields by name, as `problem.features()` gives them.

    Raises:
        ValueError: A field that the model does not read, or no `targets`.
    """

    reads: frozenset[str] = frozenset()
    takes_packed_rows = True

    def __init__(self, features: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        known: dict[str, Feature] = build(dict(features))
        if "targets" not in known:
            raise ValueError("features: there is no 'targets', the field to predict.")
        strange = [name for name in known if name not in {"inputs", "targets", *self.reads}]
        if strange:
            takes = ", ".join(["inputs", "targets", *sorted(self.reads)])
            raise ValueError(
                f"features: {type(self).__name__} does not read {strange[0]!r}; it takes {takes}. "
                "Leave the field out of the problem's features, or choose a model that reads it."
            )
        self.features: Mapping[str, Any] = known

    def build(self, input_shape: Any = None) -> None:
        """Makes every weight, from the features alone; what stands in `input_shape` does not matter."""
        if self.built:
            return
        with self._scope(), _plain_errors():
            self.call(self._one_row(), training=False)
        name_layers(self)

    def answer(self, features: Mapping[str, Any], search: Any = None, draw: int = 0) -> dict[str, Any]:
        """What the model answers to a batch: by search if it writes text, otherwise what its heads make of the logits.

        Args:
            features: As in training, without packed rows.
            search: For models that decode step by step.
            draw: Number of the batch, where answers are sampled.

        Returns:
            `values`: an array (batch, n_best, …), best first, such as ids (batch, n_best, time), a class (batch, 1) or a tag
            for each position (batch, 1, time); a dict of such arrays if the targets are a dict. `scores` (batch, n_best)
            float32, where the search gives log-probabilities.
        """
        if callable(generate := getattr(self, "generate", None)):
            found = generate(features, search=search, draw=draw)
            return {"values": found["ids"], "scores": found["scores"]}
        if not self.built:
            self.build()
        given = {name: ops.convert_to_tensor(np.asarray(value)) for name, value in features.items()}
        if "_answering" not in vars(self):
            answering = self._compiled(lambda given: self.answers(self(given, training=False), given))
            object.__setattr__(self, "_answering", answering)  # past Keras, which would track it
        values = vars(self)["_answering"](given)
        return {"values": keras.tree.map_structure(lambda one: np.asarray(ops.convert_to_numpy(one))[:, None], values)}

    def answers(self, logits: Any, features: Mapping[str, Tensor]) -> Any:
        """The answers (batch, …) that follow from the logits."""
        targets = self.features["targets"]
        if isinstance(targets, Mapping):
            return {key: _answer(one, logits[key], features) for key, one in targets.items()}
        return _answer(targets, logits, features)

    def _one_row(self) -> dict[str, Tensor]:
        row = {}
        for name, feature in self.features.items():
            shape = (1, *[2 if size is None else size for size in feature.shape])
            row[name] = ops.convert_to_tensor(np.zeros(shape, feature.dtype))
            if feature.has_segments:
                row[f"{name}_segments"] = ops.ones(shape[:2], dtype="int32")
        return row


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """What a layer refuses inside is told in its own words, which begin with the option; Keras would wrap them."""
    filtering = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if filtering:
            keras.config.enable_traceback_filtering()


@functools.singledispatch
def _answer(feature: Feature, logits: Tensor, features: Mapping[str, Tensor]) -> Tensor:
    return ops.cast(ops.argmax(logits, axis=-1), "int32")


@_answer.register
def _(feature: Tags, logits: Tensor, features: Mapping[str, Tensor]) -> Tensor:
    ids = ops.cast(ops.argmax(logits, axis=-1), "int32")
    return ops.where(ops.greater(segments_of(features, "inputs"), 0), ids, 0)


@_answer.register
def _(feature: MultiLabel, logits: Tensor, features: Mapping[str, Tensor]) -> Tensor:
    return ops.cast(ops.greater(logits, 0), "float32")


@_answer.register
def _(feature: Numbers, logits: Tensor, features: Mapping[str, Tensor]) -> Tensor:
    return ops.cast(logits, "float32")


def segments_of(features: Mapping[str, Tensor], name: str) -> Tensor:
    """The segments (batch, time) of a field; one segment without padding where a batch has none."""
    if f"{name}_segments" in features:
        return features[f"{name}_segments"]
    return ops.ones(ops.shape(features[name])[:2], dtype="int32")
