"""A recipe: problem, model, optimizer, train, report. This file defines and checks it; recipe_file reads it.

The checks come in three steps. `Recipe.check` checks sections, names, options and missing files, in well under a second
and without keras. Building the objects then checks the type of each option, and the constructors check the values.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from kt2t import registry
from kt2t.errors import Kt2tError, RecipeError, UnknownNameError
from kt2t.kinds import what_there_is
from kt2t.options import check, nearest, positive
from kt2t.registry import register
from kt2t.report_metrics import metric_nodes
from kt2t.signatures import static_options

SECTIONS = ("problem", "model", "optimizer", "train", "report")
MUST_BE_GIVEN = "???"
SUPPLIED = {"model": ("features",)}
FORMAT = 1
STEPS = "=train.steps"  # stays in a recipe with `train.epochs` until the steps are counted
MEASURES = ("tokens", "rows", "pack", "shapes")  # keys of `train.batch`
# Options of `train` that may change when a run is continued: the training stays the same, or only gets longer.
CHANGEABLE = ("steps", "epochs", "strategy", "micro_batches", "steps_per_call", "jit_compile", "max_bad_steps", "on_explosion")

Place = tuple[str | int, ...]
Error = TypeVar("Error", bound=Kt2tError)


@dataclass(frozen=True)
class Origin:
    """The file and line that a value of a recipe comes from."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@register
class Train:
    """Options for training a run.

    Args:
        steps: Total number of optimizer updates (1000), if `epochs` is not given.
        batch: `{tokens: N}`, a budget per update with padding counted, or `{rows: N}` examples. `{tokens: N, pack: L}` lets
            examples share rows of L positions in training. `shapes: K` allows at most K shapes of batches (24). Each shape
            is traced, and on JAX compiled, at its first use: fewer shapes start sooner and have more padding.
        strategy: `none`, `mirrored` (every GPU of this machine), `multi_worker` (see `kt2t launch`), `tpu`, or `auto`:
            mirrored on several GPUs, else none.
        micro_batches: A replica computes its share of a batch in this many parts, for one update. More parts need less
            memory and give the same numbers.
        steps_per_call: Steps between two calls of the callbacks. Must divide `steps` and `report.every`.
        jit_compile: Whether XLA compiles the step. `auto` compiles on JAX, where only XLA makes one computation of a step.
            On CPUs TensorFlow's graphs are faster without XLA.
        dtype: `auto` (bfloat16 arithmetic with float32 weights where that is faster), `float32`, `mixed_bfloat16` or
            `mixed_float16`.
        seed: Seed for the weights, the order of the data, and dropout.
        average: Number of last checkpoints that `--checkpoint average` averages.
        deterministic: Whether every operation must give the same bits each time, at some cost in speed.
        max_bad_steps: Training stops after this many steps in a row whose gradients are not finite.
        on_explosion: Reaction to a loss several times its running mean: `warn`, `stop` with an error, or `rollback` to the
            weights of the last checkpoint and continue with the data that follow.
        start_from: A run folder (its best checkpoint, else its last) or a checkpoint's folder. A new run starts with its
            weights, where name and shape agree.
        epochs: Number of passes through the training data, in place of `steps`.
        feed: Changes to what the model reads in training, a node or a list of nodes such as `{type: SymbolDropout, rate:
            0.1}` and `{type: ScheduledSampling, probability: 0.25}`.

    Raises:
        ValueError: `steps`, `epochs` or `batch` is not positive, or `seed` is negative.
    """

    def __init__(
        self,
        steps: int | None = None,
        batch: dict[str, int] | None = None,
        strategy: Literal["auto", "none", "mirrored", "multi_worker", "tpu"] = "auto",
        micro_batches: int = 1,
        steps_per_call: int = 1,
        jit_compile: bool | Literal["auto"] = "auto",
        dtype: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto",
        seed: int = 1,
        average: int = 5,
        deterministic: bool = False,
        max_bad_steps: int = 20,
        on_explosion: Literal["warn", "stop", "rollback"] = "warn",
        start_from: str | None = None,
        epochs: int | None = None,
        feed: Any = None,
    ) -> None:
        self.feed = feed
        self.epochs = epochs if epochs is None else positive("epochs", epochs)
        self.steps = 1000 if steps is None else positive("steps", steps)  # of `epochs`: not yet known, if None
        self.batch = {"tokens": 4096} if batch is None else batch
        for name, size in self.batch.items():
            if name not in MEASURES:
                raise ValueError(f"batch.{name}: a batch has no such key. {nearest(name, MEASURES)}")
            positive(f"batch.{name}", size)
        if ("tokens" in self.batch) == ("rows" in self.batch):
            raise ValueError(f"batch: {self.batch!r} should be one of {{tokens: N}} and {{rows: N}}.")
        _check_pack(self.batch)
        self.strategy = strategy
        self.micro_batches = positive("micro_batches", micro_batches)
        self.steps_per_call = positive("steps_per_call", steps_per_call)
        if self.steps % steps_per_call and (steps is not None or epochs is None):
            raise ValueError(f"steps_per_call: {steps_per_call} does not divide train.steps {steps}.")
        self.jit_compile = jit_compile
        self.dtype = dtype
        if seed < 0:
            raise ValueError(f"seed: {seed} is negative.")
        self.seed = seed
        self.average = positive("average", average)
        self.deterministic = deterministic
        self.max_bad_steps = positive("max_bad_steps", max_bad_steps)
        self.on_explosion = on_explosion
        self.start_from = start_from

    @property
    def feeds(self) -> list[tuple[str, Any]]:
        """Returns the nodes of `feed`, each with its path in the recipe."""
        if not isinstance(self.feed, list):
            return [] if self.feed is None else [("train.feed", self.feed)]
        return [(f"train.feed.{number}", node) for number, node in enumerate(self.feed)]

    @property
    def unpacked(self) -> dict[str, Any]:
        """Returns `batch` for evaluation, which is never packed."""
        return {name: size for name, size in self.batch.items() if name != "pack"}

    @property
    def shapes(self) -> dict[str, int]:
        """Returns only the `shapes` entry of `batch`, for batches of another size."""
        return {name: size for name, size in self.batch.items() if name == "shapes"}


@register
class Report:
    """Options for what a run reports and which checkpoints it keeps.

    Args:
        every: Steps between evaluations, summaries and checkpoints.
        best: A score or metric such as `bleu` or `loss`. The checkpoint with the best value is kept and used by default.
        decode: The search for decoding: a node such as `{type: Beam, beams: 4}`.
        score: Whether each evaluation decodes and scores the validation split. Otherwise this happens only after training.
        score_limit: Maximum number of validation examples decoded during training. After training all are decoded.
        attention_maps: Whether pictures of the attention are written to TensorBoard.
        samples: Number of decoded examples shown at each evaluation.
        keep: Number of checkpoints kept besides the best.
        patience: Training ends after this many evaluations without an improvement of `best`. None trains all steps.
        metrics: Further metrics of each evaluation, ours or Keras's: a list such as `[F1, {type: TokenAccuracy, top: 5,
            name: top5}]`; where the targets are several, a mapping of such lists by target.

    Raises:
        ValueError: A count is not positive, or `patience` is given without `best`.
    """

    def __init__(
        self,
        every: int = 500,
        best: str | None = None,
        decode: Any = None,
        score: bool = True,
        score_limit: int | None = 500,
        attention_maps: bool = True,
        samples: int = 5,
        keep: int = 3,
        patience: int | None = None,
        metrics: Any = None,
    ) -> None:
        self.every = positive("every", every)
        self.best = best
        self.decode = decode
        self.score = score
        self.score_limit = score_limit if score_limit is None else positive("score_limit", score_limit)
        self.attention_maps = attention_maps
        self.samples = positive("samples", samples)
        self.keep = positive("keep", keep)
        if patience is not None and positive("patience", patience) and best is None:
            raise ValueError(f"patience: {patience} needs a score or metric to watch. Name one in report.best.")
        self.patience = patience
        self.metrics = metrics


@register
class Recipe:
    """A complete run as five nodes. `run.assemble` builds `problem`, `model` and `optimizer` from their nodes.

    Args:
        problem: Node of a problem.
        model: Node of a model, without `features`, which come from the problem.
        optimizer: Node of an optimizer.
        train: Options of `Train`.
        report: Options of `Report`.
    """

    def __init__(
        self,
        problem: dict[str, Any],
        model: dict[str, Any],
        optimizer: dict[str, Any],
        train: dict[str, Any] | None = None,
        report: dict[str, Any] | None = None,
    ) -> None:
        self.nodes: dict[str, dict[str, Any]] = {
            "problem": problem,
            "model": model,
            "optimizer": optimizer,
            "train": train or {},
            "report": report or {},
        }
        self.name = "recipe"
        self.origins: dict[Place, Origin] = {}
        self.overrides: tuple[str, ...] = ()
        self.unresolved: list[RecipeError] = []
        self.references: dict[Place, Place] = {}
        self.plugins: dict[str, dict[str, str]] = {}

    @property
    def train(self) -> Train:
        """Builds the `train` section."""
        return self._section("train", Train)

    @property
    def report(self) -> Report:
        """Builds the `report` section."""
        return self._section("report", Report)

    def located(self, error: Error) -> Error:
        """Adds to an error the file and line of the option that its path names.

        Of a reference that cannot be resolved, it names the place that is referred to, if that is in another file or on the
        command line.
        """
        if error.file or not error.path:
            return error
        place: Place = tuple(int(part) if part.isdigit() else part for part in error.path.split("."))
        origin = self.origins.get(_innermost(place, self.origins))
        if origin is None:
            return error
        reference = _innermost(place, self.references)
        referred = (*self.references.get(reference, ()), *place[len(reference) :])
        there = self.origins.get(_innermost(referred, self.origins))
        if any(error is one for one in self.unresolved) and there is not None and there.file != origin.file:
            message = f"{error.message} {'.'.join(map(str, reference))} ({origin}) refers to it."
            return type(error)(message, path=".".join(map(str, referred)), file=there.file, line=there.line)
        return type(error)(error.message, path=error.path, file=origin.file, line=origin.line)

    def check(self) -> None:
        """Checks sections, names, options and files: everything that can be checked without keras.

        Raises:
            ValueError: The recipe is invalid. The message has file, line, key, value and the nearest fix.
        """
        try:
            if not any((error.path or "").startswith(("train.", "report.")) for error in self.unresolved):
                self._section("train", Train), self._section("report", Report)  # first: other sections refer to their values
            for section in ("problem", "model", "optimizer"):
                check_node(self.nodes[section], section, section)
            for error in self.unresolved:  # after the names: a reference also fails if the key it refers to is misspelt
                raise error
            self._check_length()
            if self.report.every % self.train.steps_per_call:
                raise RecipeError(
                    f"{self.train.steps_per_call} does not divide report.every {self.report.every}.",
                    path="train.steps_per_call",
                )
            if self.nodes["report"].get("decode") is not None:
                check_node(self.nodes["report"]["decode"], "decode", "report.decode")
            for path, node in self.train.feeds:
                check_node(node, "feed", path)
            for _, path, node in metric_nodes(self.nodes["report"].get("metrics")):
                check_node(node, "metric", path)
            _check_files(self.nodes["problem"], "problem")
        except RecipeError as error:
            raise self.located(error) from None

    def _check_length(self) -> None:
        steps, epochs = (self.nodes["train"].get(name) for name in ("steps", "epochs"))
        if steps is not None and epochs is not None:
            raise RecipeError(f"{epochs} together with train.steps {steps}. Give one of the two.", path="train.epochs")

    def to_yaml(self) -> str:
        """Writes the recipe as YAML that loads to the same recipe."""
        nodes = {section: node for section, node in self.nodes.items() if node}
        return yaml.dump(nodes, sort_keys=False, allow_unicode=True, width=120, Dumper=_Dumper)

    def _section(self, name: str, cls: type) -> Any:
        try:
            check(cls, self.nodes[name], name)
            return cls(**self.nodes[name])  # nested nodes such as report.decode are not built: that needs keras
        except RecipeError as error:
            raise self.located(error) from None
        except ValueError as error:
            option, _, message = str(error).partition(": ")
            raise self.located(RecipeError(message, path=f"{name}.{option}")) from None


def _innermost(place: Place, known: Mapping[Place, Any]) -> Place:
    """Returns the place itself if it is known, or else the innermost known place around it; () if there is none."""
    return next((place[:end] for end in range(len(place), 0, -1) if place[:end] in known), ())


def _check_pack(batch: Mapping[str, int]) -> None:
    pack, tokens = batch.get("pack", 0), batch.get("tokens")
    if pack and tokens is None:
        raise ValueError(
            f"batch.pack: rows of {pack} positions hold as many examples as fit, not {batch['rows']}. Give tokens."
        )
    if tokens and pack > tokens:
        raise ValueError(
            f"batch.pack: rows of {pack} positions do not fit a batch of {tokens} tokens. "
            f"Choose {tokens} or less, or more tokens."
        )


def check_node(node: Any, slot: str, path: str) -> None:
    """Checks the type and options of a node and its nested nodes, as far as possible without keras.

    Raises:
        ValueError: A type or option is wrong. The message has its path.
    """
    if not isinstance(node, Mapping):
        raise RecipeError(f"{node!r} should be a mapping with a 'type' and options.", path=path)
    if not isinstance(node.get("type", ""), str):
        raise RecipeError(f"{node['type']!r} is not the name of a class.", path=f"{path}.type")
    if "type" not in node:
        hint = nearest(next((k for k in node if nearest(k, ["type"]).startswith("Did")), ""), ["type"])
        raise RecipeError(
            f"the 'type' is missing. {hint}" if hint.startswith("Did") else "the 'type' is missing.", path=path
        )
    name = node["type"]
    if "." not in name and name not in registry.names(slot) and name not in registry.registered():
        raise UnknownNameError(
            f"no {slot} is registered as {name!r}. {what_there_is(name, slot)}".rstrip(), path=f"{path}.type"
        )
    _check_options(node, static_options(name, slot), path, SUPPLIED.get(slot, ()))
    for key, nested, below in _nested(node, path):
        check_node(nested, key, below)


def _check_options(
    node: Mapping[str, Any], known: Mapping[str, bool] | None, path: str, supplied: tuple[str, ...]
) -> None:
    names = [name for name in ("type", *(known or ())) if name not in supplied]
    for key in node:
        if known is not None and key not in names:
            raise RecipeError(
                f"{node['type']} has no option {key!r}. {nearest(key, names)}".rstrip(), path=f"{path}.{key}"
            )
    for key, value in node.items():  # also for classes whose options are not known without importing them
        if value == MUST_BE_GIVEN:
            raise RecipeError(f"must be given. Add {path}.{key}=… to the command.", path=f"{path}.{key}")
    for key, required in (known or {}).items():
        if required and key not in node and key not in supplied:
            raise RecipeError(f"{node['type']} needs {key!r}. Add {path}.{key}=…", path=f"{path}.{key}")


def _nested(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            if "type" in value or any(nearest(k, ["type"]).startswith("Did") for k in value):
                yield key, value, f"{path}.{key}"
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Mapping):
                    yield key, item, f"{path}.{key}.{index}"


def _check_files(node: Mapping[str, Any], path: str) -> None:
    for key, value in node.items():
        if key == "path" or key.endswith("_files"):
            for file in value if isinstance(value, list) else [value]:
                if isinstance(file, str) and not os.path.exists(Path(file).expanduser()):
                    raise RecipeError(f"{file!r} does not exist.", path=f"{path}.{key}")
        elif isinstance(value, Mapping):
            _check_files(value, f"{path}.{key}")


class _Dumper(yaml.SafeDumper):
    pass


def _represent_float(dumper: yaml.SafeDumper, value: float) -> yaml.Node:
    mantissa, e, exponent = repr(value).partition("e")
    dotted = mantissa if "." in mantissa or "n" in mantissa else f"{mantissa}.0"  # PyYAML reads 1e-9 as text
    return dumper.represent_scalar("tag:yaml.org,2002:float", dotted + e + exponent)


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    from kt2t.marked_yaml import scalar

    style = None if scalar(value) == value and isinstance(scalar(value), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(float, _represent_float)
_Dumper.add_representer(str, _represent_text)

TABLE = {"Recipe": "recipe", "Train": "recipe", "Report": "recipe"}
