"""The part of a problem that judges, decodes and shows answers, by the kind of each field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kt2t.data.judging import for_each, loss_for, metrics_for, scored, scores_for
from kt2t.data.values import decode_value, is_read_from_file, read_value, tell_value, views_for, write_value
from kt2t.features import Feature, Text, flat
from kt2t.registry import build

_UNKNOWN = Text(2)  # a field that no feature describes is shown as ids, or by its vocabulary


class Answers:
    """The methods of a `Problem` about answers: its loss, metrics and scores, decoding, and display.

    All of them follow from the problem's `features` and `vocabularies`.

    Where `targets` is a dict of features, every target, prediction and reference is a dict with the same keys. So are
    losses, metrics and scores, which are logged as `KEY_loss`, `KEY_accuracy` and so on.
    """

    # Names of what `score` or `derived_metrics` gives beyond the scores themselves.
    derived_metric_names: tuple[str, ...] = ()

    features: Callable[[], dict[str, Feature]]
    expected_features: Callable[[], dict[str, Feature]]
    stored: Callable[[], dict[str, Feature]]
    vocabularies: Callable[[], dict[str, Any]]
    encode: Callable[[Mapping[str, Any]], dict[str, np.ndarray]]
    _loss: Any

    def loss(self) -> Any:
        """Returns the loss of the targets: the option `loss`, otherwise the default for the kind of target.

        Of several targets it is a dict. The option is then one loss for all of them, or a dict of losses for some.
        """
        targets: Any = self.expected_features()["targets"]
        given = build(self._loss, "loss")
        if not isinstance(targets, Mapping):
            return loss_for(targets) if given is None else given
        if isinstance(given, Mapping):
            if strange := sorted(given.keys() - targets.keys()):
                raise ValueError(f"loss: there is no target {strange[0]!r}. There are: {', '.join(targets)}.")
            return {key: given[key] if key in given else loss_for(one) for key, one in targets.items()}
        return for_each(targets, loss_for) if given is None else dict.fromkeys(targets, given)

    def metrics(self) -> Any:
        """Returns the metrics of an evaluation: a list, or a dict of lists by target."""
        return for_each(self.expected_features()["targets"], metrics_for)

    def scores(self) -> Any:
        """Returns the scores of decoded values: a list, or a dict of lists by target."""
        return for_each(self.expected_features()["targets"], scores_for)

    def score(self, predictions: Sequence[Any], references: Sequence[Any]) -> dict[str, float]:
        """Scores decoded targets against references.

        Args:
            predictions: Values as `decode("targets", …)` gives them.
            references: As many values, or what `references` returns.

        Raises:
            ValueError: Their numbers differ.
        """
        if len(predictions) != len(references):
            raise ValueError(f"{len(predictions)} predictions for {len(references)} references.")
        expected = [line["targets"] if isinstance(line, Mapping) and "targets" in line else line for line in references]
        return scored(self.scores(), list(predictions), expected)

    def derived_metrics(self, split: str, metrics: Mapping[str, float]) -> dict[str, tuple[float, str]]:
        """Computes values that need the metrics of a whole split, such as bits per byte; each with a text that says how."""
        return {}

    def decode(self, field: str, value: Any) -> Any:
        """Decodes a field to the value that scores compare: the text up to its end, the name of a class, …

        Args:
            field: `inputs`, `targets`, …; one of several targets is `targets.KEY`.
            value: The field's array; of `targets` a dict of arrays where there are several. A batch of arrays, such as ids
                (batch, time) or (batch, n_best, time), gives a list of values.
        """
        feature = self._feature(field)
        if isinstance(feature, Mapping):
            return {key: self.decode(f"{field}.{key}", one) for key, one in value.items()}
        if _rank(value) > len(feature.shape):
            return [self.decode(field, one) for one in value]
        return decode_value(feature, value, self.vocabularies().get(field))

    def written(self, field: str, decoded: Any) -> str:
        """Formats a decoded value as text; a picture is `<28×28×1 picture>`, a sound `<1.00 s of sound>`.

        Several targets are written behind each other, with a tab between.
        """
        feature = self._feature(field)
        if isinstance(feature, Mapping):
            return "\t".join(self.written(f"{field}.{key}", one) for key, one in decoded.items())
        return decoded if isinstance(decoded, str) else write_value(feature, decoded)

    def told(self, field: str, value: Any) -> Any:
        """Renders a field for people: text, the bytes of a PNG file for a picture, of a wav file for a sound."""
        feature = self._feature(field)
        if isinstance(feature, Mapping):
            return {key: self.told(f"{field}.{key}", one) for key, one in value.items()}
        return tell_value(feature, self.decode(field, value))

    def read(self, field: str, text: str) -> Any:
        """Turns what a person types (a line, or the path of a file) into a raw value as in `examples`.

        Raises:
            DataError: The text or the file does not fit the field.
        """
        return read_value(self._stored(field), text, self.vocabularies().get(field))

    def reads_files(self, field: str) -> bool:
        """Whether `read` takes the path of a file for this field."""
        return is_read_from_file(self._stored(field))

    def values(self, example: Mapping[str, Any]) -> dict[str, Any]:
        """Turns the fields of a raw example into values that scores compare: text as it is, others encoded and decoded.

        Of a picture or a sound there is only a short description, since nobody compares what was read from a file.
        """
        encoded = None
        found = {}
        for field, value in example.items():
            feature: Any = self._feature(field)
            if not isinstance(value, str) or not getattr(feature, "is_fed_back", False):
                encoded = encoded or self.encode(example)
                if field not in encoded:
                    value = str(value)
                elif not isinstance(feature, Mapping) and self.reads_files(field):
                    value = write_value(self._stored(field), encoded[field])
                else:
                    value = self.decode(field, encoded[field])
            found[field] = value
        return found

    def texts(self, example: Mapping[str, Any]) -> dict[str, str]:
        """Turns the fields of a raw example into text: text as it is, others as `written` formats them."""
        return {field: self.written(field, value) for field, value in self.values(example).items()}

    def show(self, decoded: Any, features: Mapping[str, Any] | None = None) -> str:
        """Formats the result of `answer` or `generate` as text, with the sample's own fields above each if given."""
        if isinstance(decoded, Mapping):
            decoded = decoded.get("values", decoded.get("ids", decoded))
        lines = []
        for row in range(_rows(decoded)):
            for field in ("inputs", "targets") if features is not None else ():
                if field in (features or {}):
                    value = row_of((features or {})[field], row)
                    lines.append(f"{field:>10}: {self.written(field, self.decode(field, value))}")
            lines.extend(f"{'predicted':>10}: {text}" for text in self._hypotheses(decoded, row))
        return "\n".join(lines)

    def views(self) -> list[dict[str, Any]]:
        """Returns nodes of the views that TensorBoard shows for these fields at each evaluation."""
        kinds = flat({field: feature for field, feature in self.features().items() if field in ("inputs", "targets")})
        further = [name for feature in kinds.values() for name in views_for(feature)]
        return [{"type": name} for name in dict.fromkeys(("DecodedText", *further, "AttentionMaps"))]

    def _feature(self, field: str) -> Any:
        features = self.features()
        return features[field] if field in features else flat(features).get(field, _UNKNOWN)

    def _stored(self, field: str) -> Feature:
        stored = self.stored()
        return stored[field] if field in stored else self._feature(field)

    def _hypotheses(self, decoded: Any, row: int) -> Iterator[str]:
        targets: Any = self.features()["targets"]
        found = row_of(decoded, row) if isinstance(targets, Mapping) else decoded[row]
        if isinstance(found, str):
            yield found
            return
        if not isinstance(targets, Mapping):
            yield from (self.written("targets", self.decode("targets", one)) for one in each_value(found, targets))
            return
        several = [each_value(found[key], targets[key]) for key in found]
        for values in zip(*several, strict=True):
            yield self.written("targets", self.decode("targets", dict(zip(found, values, strict=True))))


def row_of(arrays: Any, row: int) -> Any:
    """Returns a row of a field's array, or of each array in a dict of targets."""
    return for_each(arrays, lambda array: np.asarray(array[row]))


def _rank(value: Any) -> int:
    """The axes of an array, or of lists of any lengths."""
    if isinstance(value, list | tuple) and value:
        return 1 + _rank(value[0])
    return np.ndim(value)


def _rows(decoded: Any) -> int:
    return len(next(iter(decoded.values()))) if isinstance(decoded, Mapping) else len(decoded)


def each_value(found: Any, feature: Feature) -> np.ndarray:
    """Returns the hypotheses of a row, best first, (n_best, …); a single value becomes a list of one."""
    array = np.asarray(found)
    return array.reshape(-1, *array.shape[array.ndim - len(feature.shape) :])
