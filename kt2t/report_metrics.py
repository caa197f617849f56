"""Further metrics of an evaluation, which a recipe names in `report.metrics`: their nodes, and the metrics made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kt2t import registry
from kt2t.errors import RecipeError

PATH = "report.metrics"
Node = dict[str, Any]


def metric_nodes(given: Any) -> Iterator[tuple[str | None, str, Node]]:
    """Yields (key of the target or None, path in the recipe, node) of each metric in `report.metrics`.

    Args:
        given: A list of types (`TokenAccuracy`) and nodes, or a mapping of such lists by the key of the target.

    Raises:
        RecipeError: It has another form, or names a score.
    """
    for key, path, several in _lists(given):
        if not isinstance(several, list):
            raise RecipeError(f"{several!r} should be a list of metrics, such as [TokenAccuracy].", path=path)
        for place, one in enumerate(several):
            node = {"type": one} if isinstance(one, str) else one
            if isinstance(node, Mapping) and node.get("type") in registry.table("kt2t.scores"):
                if node["type"] not in registry.names("metric"):
                    raise RecipeError(
                        f"{node['type']} is a score of decoded answers, which the problem chooses, and no metric. "
                        "See `kt2t list metrics`.",
                        path=f"{path}.{place}",
                    )
            yield key, f"{path}.{place}", node


def with_metrics(measured: Any, given: Any) -> Any:
    """Adds the metrics of `report.metrics` to those of a problem.

    Args:
        measured: The problem's metrics: a list, or a dict of lists by the key of the target.
        given: See `metric_nodes`.

    Raises:
        RecipeError: A metric is not known or has the name of another; or targets are several and metrics one list, or the
            other way round.
    """
    import keras

    several = isinstance(measured, Mapping)
    found: dict[str | None, list[Any]] = {key: list(measured[key]) for key in measured} if several else {None: list(measured)}
    for key, path, node in metric_nodes(given):
        if key not in found:
            raise RecipeError(_misplaced(key, found), path=path.rpartition(".")[0])
        metric = registry.build(node, "metric", path)
        if not isinstance(metric, keras.metrics.Metric):
            raise RecipeError(f"{node['type']!r} is not a metric.", path=path)
        if metric.name in {one.name for one in found[key]}:
            raise RecipeError(
                f"{metric.name!r} is measured already. Leave it out, or give this one a name of its own: "
                f"{{type: {node['type']}, name: …}}.",
                path=path,
            )
        found[key].append(metric)
    return found if several else found[None]


def try_metrics(model: Any, sample: Mapping[str, Any], given: Any) -> None:
    """Computes each metric of `report.metrics` once, so that one that does not fit is refused before training.

    Args:
        model: Built.
        sample: A few examples, as `Problem.sample` gives them.
        given: See `metric_nodes`.

    Raises:
        RecipeError: A metric cannot be computed from the model's predictions and the targets.
    """
    nodes = list(metric_nodes(given))
    if not nodes:
        return
    predicted, targets = model(dict(sample), training=False), sample["targets"]
    for key, path, node in nodes:
        metric = registry.build(node, "metric", path)
        y_true, y_pred = (targets, predicted) if key is None else (targets[key], predicted[key])
        try:
            metric.update_state(y_true, y_pred)
            metric.result()
        except Exception as error:  # of Keras, of the backend, or of the user's own class
            reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
            raise RecipeError(
                f"{node['type']} cannot be computed from predictions of shape {_shape(y_pred)} and targets of shape "
                f"{_shape(y_true)}: {reason[:200]} Leave it out.",
                path=path,
            ) from error


def _lists(given: Any) -> Iterator[tuple[str | None, str, Any]]:
    if isinstance(given, Mapping) and "type" not in given:
        yield from ((key, f"{PATH}.{key}", several) for key, several in given.items())
    elif given is not None:
        yield None, PATH, given


def _misplaced(key: str | None, found: Mapping[str | None, Any]) -> str:
    if None in found:
        return f"there is a single target, and none called {key!r}. Give a list of metrics."
    keys = ", ".join(map(str, found))
    if key is None:
        return f"the targets are several: {keys}. Give a list of metrics for each: {{{next(iter(found))}: [TokenAccuracy]}}."
    return f"there is no target {key!r}. There are: {keys}."


def _shape(value: Any) -> Any:
    return tuple(getattr(value, "shape", ()))
