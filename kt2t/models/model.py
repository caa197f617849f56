"""The base class of models: their fields, building from features, and answers."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from kt2t.features import Feature
from kt2t.layers.feature_layers import embed, head
from kt2t.layers.memory import Memory
from kt2t.models.feature_checks import checked_features
from kt2t.models.signature import one_row, signature
from kt2t.ops.missing_segments import ids_show_padding, segments_from_ids, with_segments
from kt2t.ops.randomness import name_layers
from kt2t.registry import build
from kt2t.training.trainer import Trainer

Tensor = Any


def _built_first(method: Callable[..., Any]) -> Any:
    """Wraps a method of a model so that the model's weights are made before it runs."""

    @functools.wraps(method)
    def run(self: Any, *arguments: Any, **options: Any) -> Any:
        self.build()
        return method(self, *arguments, **options)

    return run


class Model(Trainer):
    """Base class of all models: built from features, trained by `compile` and `fit`.

    The features determine the shapes of the weights, so the user need not call `build`: every method that needs the weights
    makes them first. The constructor makes none, because a subclass adds its layers after it.

    A subclass makes its layers in the constructor and has `call(features, training=None)`, which returns logits, as a dict with
    the keys of the targets if these are a dict.

    Args:
        features: The problem's fields by name, as `problem.features()` gives them.

    Attributes:
        reads: Names of the fields that the model takes besides `inputs` and `targets`.
        takes_packed_rows: Whether examples that share a row give the same results as in rows of their own.
        encode_texts: Function that turns texts into features; a run sets it to `batch_of` of its problem.

    Raises:
        ValueError: A field that the model does not read, or no `targets`.
    """

    reads: frozenset[str] = frozenset()
    takes_packed_rows = True
    encode_texts: Callable[[list[Any]], dict[str, Any]] | None = None

    def __init__(self, features: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.autocast = False  # Keras would round samples and numbers to bfloat16 before any embedding sees them
        known: dict[str, Any] = build(dict(features))
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
        """Makes all weights from the features; ignores `input_shape`."""
        if self.built:
            return
        with self._scope(), _plain_errors():
            self.call(one_row(self.features), training=False)
        name_layers(self)

    fit = _built_first(Trainer.fit)
    summary = _built_first(Trainer.summary)
    count_params = _built_first(Trainer.count_params)
    get_weights = _built_first(Trainer.get_weights)
    set_weights = _built_first(Trainer.set_weights)
    load_weights = _built_first(Trainer.load_weights)
    save_weights = _built_first(Trainer.save_weights)
    save = _built_first(Trainer.save)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Exports the logits as `keras.Model.export` does; the signature follows from the features.

        A SavedModel has two endpoints, for fields of any width: `serve` takes the fields, in which id 0 is padding, and
        `serve_segments` takes the segments as well. Recordings come with their segments in both. On JAX there is `serve` alone:
        its exporter cannot know that a field and its segments have the same width.

        Args:
            filepath: The path to write to.
            format: One of Keras's export formats; `tf_saved_model` by default.
            verbose: Whether Keras prints the endpoints.
            input_signature: As Keras takes it, in place of ours; a SavedModel then has the endpoint `serve` alone.
            kwargs: Further options of Keras for this format.
        """
        self.build()
        read = {name: self.features[name] for name in self._read(answering=False)}
        shown = [[signature(read, segments)] for segments in (False, True)]
        is_one = shown[0][0].keys() == shown[1][0].keys() or keras.backend.backend() == "jax"
        if format != "tf_saved_model" or input_signature is not None or is_one:
            chosen = shown[0] if input_signature is None else input_signature
            super().export(filepath, format, verbose=verbose, input_signature=chosen, **kwargs)
            return
        archive = keras.export.ExportArchive()
        archive.track(self)
        for name, one in zip(("serve", "serve_segments"), shown, strict=True):
            archive.add_endpoint(name, self.__call__, one, **kwargs)
        archive.write_out(filepath, verbose=verbose is not False)

    def __call__(self, features: Any, *arguments: Any, **options: Any) -> Any:
        self._check_features(features)
        return super().__call__(with_segments(features, self.features), *arguments, **options)

    def _check_features(self, x: Any) -> None:
        checked_features(x, self._read(answering=False), type(self).__name__)

    def readable(self, features: Any) -> Mapping[str, Any]:
        """Returns the features for `answer` as arrays by field; encodes texts if the model has a vocabulary.

        Raises:
            ValueError: A field is missing, or texts without a vocabulary.
        """
        return checked_features(features, self._read(answering=True), type(self).__name__, self.encode_texts)

    def _read(self, answering: bool) -> list[str]:
        """Lists the fields that the model reads: `targets` only if they are fed back or, in answering, continued."""
        known = self.features
        fed_back = getattr(known["targets"], "is_fed_back", False)
        without = "targets" if not fed_back or answering and len(known) > 1 else None
        return [name for name in known if name != without]

    def answer(self, features: Any, search: Any = None, draw: int = 0) -> dict[str, Any]:
        """Predicts the most probable answers for a batch, as the heads of the model define them.

        Args:
            features: As in training, without packed rows; `targets` are ignored. Where segments are missing, id 0
                is padding. The model of a run that `kt2t.load` opened also takes a list of texts, or of paths of pictures
                or recordings.
            search: Ignored; models that decode step by step use it.
            draw: Ignored; models that decode step by step use it.

        Returns:
            `values`: an array (batch, 1, …) of the most probable answers, such as a class (batch, 1) or a tag for each
            position (batch, 1, time); a dict of such arrays if the targets are a dict.
        """
        if not self.built:
            self.build()
        arrays = {name: np.asarray(value) for name, value in self.readable(features).items()}
        given = {name: ops.convert_to_tensor(value) for name, value in with_segments(arrays, self.features).items()}
        found = self._answers_of_heads()(given)
        return {"values": keras.tree.map_structure(lambda one: np.asarray(ops.convert_to_numpy(one))[:, None], found)}

    def answers(self, logits: Any, features: Mapping[str, Tensor]) -> Any:
        """Turns logits into answers (batch, …), as the heads define them."""
        targets, segments = self.features["targets"], features.get("inputs_segments")
        if isinstance(targets, Mapping):
            return {key: head(feature).answer(logits[key], segments) for key, feature in targets.items()}
        return head(targets).answer(logits, segments)

    def _answers_of_heads(self) -> Any:
        if "_answering" not in vars(self):
            answering = self._compiled(lambda given: self.answers(self(given, training=False), given))
            object.__setattr__(self, "_answering", answering)  # past Keras, which would track it
        return vars(self)["_answering"]

    def make_input_embeddings(self, hidden_dim: int, inputs_embedding: Any = None, **options: Any) -> None:
        """Makes the embeddings of the inputs and of every label that conditions them (`reads`), as `NAME_embedding`.

        Args:
            hidden_dim: Width of a vector.
            inputs_embedding: An embedding to share, in place of a new one.
            options: Further options for the embedding of the inputs.
        """
        dtype = self.dtype_policy.name
        self.inputs_embedding = inputs_embedding or embed(self.features["inputs"], hidden_dim, dtype=dtype, **options)
        for name in self._conditions():
            setattr(self, f"{name}_embedding", embed(self.features[name], hidden_dim, dtype=dtype))

    def embedded_inputs(self, features: Mapping[str, Tensor]) -> Memory:
        """Embeds the inputs, and adds the vector of every conditioning label at each position."""
        feature = self.features["inputs"]
        own = segments_of(features, "inputs", feature) if feature.has_segments else None
        x = self.inputs_embedding(features["inputs"], own)
        for name in self._conditions():
            label = getattr(self, f"{name}_embedding")(features[name])
            x = x + ops.expand_dims(label, tuple(range(1, len(x.shape) - 1)))
        return Memory(x, self.inputs_embedding.segments(features["inputs"], own))

    def _conditions(self) -> list[str]:
        return sorted(self.reads & self.features.keys())


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """Turns off Keras's traceback filter inside the `with` block, so that layers' error messages stay unchanged."""
    filtering = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if filtering:
            keras.config.enable_traceback_filtering()


def segments_of(features: Mapping[str, Tensor], name: str, feature: Any = None) -> Tensor:
    """Returns the segments (batch, time) of a field.

    If the batch has none, each row is one segment; its padding gets 0 if the ids of `feature` mark padding.
    """
    if f"{name}_segments" in features:
        return features[f"{name}_segments"]
    if ids_show_padding(feature):
        return segments_from_ids(features[name])
    return ops.ones(ops.shape(features[name])[:2], dtype="int32")


def require_inputs(features: Mapping[str, Any], reader: str) -> Feature:
    """Returns the feature `inputs`; raises a ValueError, in which `reader` names the model, if there is none."""
    if "inputs" not in features:
        raise ValueError(f"features: {reader} reads 'inputs', and there are none. TransformerLM does without.")
    return features["inputs"]
