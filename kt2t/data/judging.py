"""Chooses the loss, the metrics and the scores for each kind of target.

A problem takes these unless it has its own. A new kind of feature registers its own functions, such as
`loss_for.register(MyFeature)`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from kt2t.features import Feature, Image, Label, MultiLabel, Numbers, Tags, Text


@functools.singledispatch
def loss_for(feature: Feature) -> Any:
    """Makes the loss object of a target, which compares the target with the model's logits (or numbers).

    Raises:
        ValueError: No loss is registered for this kind of feature.
    """
    kind = type(feature).__name__
    raise ValueError(
        f"targets: no loss is known for {feature!r}. Give the problem a `loss`, or register one: "
        f"kt2t.data.judging.loss_for.register({kind})."
    )


@functools.singledispatch
def metrics_for(feature: Feature) -> list[Any]:
    """Returns new metrics of a target for evaluations; none for an unknown kind of feature."""
    return []


@functools.singledispatch
def scores_for(feature: Feature) -> list[Any]:
    """Returns new scores of a target's decoded values; none for an unknown kind of feature."""
    return []


@loss_for.register(Text)
@loss_for.register(Tags)
@loss_for.register(Label)
@loss_for.register(Image)
def _cross_entropy(feature: Feature) -> Any:
    from kt2t.losses import CrossEntropy

    return CrossEntropy()


@loss_for.register
def _(feature: MultiLabel) -> Any:
    from kt2t.losses import BinaryCrossEntropy

    return BinaryCrossEntropy()


@loss_for.register
def _(feature: Numbers) -> Any:
    from kt2t.losses import MeanSquaredError

    return MeanSquaredError()


@metrics_for.register(Text)
@metrics_for.register(Tags)
def _of_sequences(feature: Feature) -> list[Any]:
    from kt2t.metrics import Perplexity, SequenceAccuracy, TokenAccuracy

    return [TokenAccuracy(), SequenceAccuracy(), Perplexity()]


@metrics_for.register
def _(feature: Label) -> list[Any]:
    from kt2t.metrics import Perplexity, TokenAccuracy

    return [TokenAccuracy(name="accuracy"), Perplexity()]


@metrics_for.register
def _(feature: MultiLabel) -> list[Any]:
    from kt2t.metrics import F1

    return [F1()]


@metrics_for.register
def _(feature: Numbers) -> list[Any]:
    import keras

    return [keras.metrics.MeanAbsoluteError(name="mean_absolute_error")]


@metrics_for.register
def _(feature: Image) -> list[Any]:
    from kt2t.metrics import TokenAccuracy

    return [TokenAccuracy(name="pixel_accuracy")]


@scores_for.register
def _(feature: Text) -> list[Any]:
    from kt2t.scores import ExactMatch

    return [ExactMatch()]


@scores_for.register
def _(feature: Label) -> list[Any]:
    from kt2t.scores import Accuracy

    return [Accuracy()]


@scores_for.register
def _(feature: Tags) -> list[Any]:
    from kt2t.scores import TagAccuracy

    return [TagAccuracy()]


@scores_for.register
def _(feature: MultiLabel) -> list[Any]:
    from kt2t.scores import LabelF1

    return [LabelF1()]


@scores_for.register
def _(feature: Numbers) -> list[Any]:
    from kt2t.scores import SquaredError

    return [SquaredError()]


def for_each(targets: Any, function: Callable[[Any], Any]) -> Any:
    """Applies `function` to the target, or to each of a dict of targets."""
    return {key: function(one) for key, one in targets.items()} if isinstance(targets, Mapping) else function(targets)


def by_name(measures: Any) -> dict[str, Any]:
    """Returns metrics or scores by their names in the logs.

    Args:
        measures: A list, or a dict of lists by the key of the target. With more than one key the names begin with it, as
            Keras has it: `KEY_accuracy`.
    """
    if not isinstance(measures, Mapping):
        return {measure.name: measure for measure in measures}
    return {keyed(measures, key, one.name): one for key, several in measures.items() for one in several}


def keyed(keys: Any, key: str, name: str) -> str:
    """Returns the name in the logs of a value that belongs to one of several targets."""
    return f"{key}_{name}" if len(keys) > 1 else name


def scored(scores: Any, predictions: list[Any], references: list[Any]) -> dict[str, float]:
    """Computes all scores of decoded values against references, by name.

    Args:
        scores: A list; or a dict of lists by the key of the target, and then each prediction and reference is such a dict.
    """
    results: dict[str, float] = {}
    if not isinstance(scores, Mapping):
        for score in scores:
            results.update(score(predictions, references))
        return results
    for key, several in scores.items():
        of_key = scored(several, [one[key] for one in predictions], [one[key] for one in references])
        results.update({keyed(scores, key, name): value for name, value in of_key.items()})
    return results
