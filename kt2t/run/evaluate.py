"""Measures a run on a split: metrics from tensors, scores of decoded answers, and a few examples to look at."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kt2t.disk import whole_file
from kt2t.errors import ResourceError
from kt2t.run import assemble as assembling
from kt2t.run.restore import restored

logger = logging.getLogger("kt2t")


@dataclass
class Evaluation:
    """The values of one split at one step.

    Attributes:
        signatures: How each score was computed.
        examples: Over how many examples each metric and score was computed.
        samples: A few examples with the model's answers, field by field as text.
    """

    split: str
    step: int
    metrics: dict[str, float]
    scores: dict[str, float] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=dict)
    samples: list[dict[str, str]] = field(default_factory=list)
    examples: dict[str, int] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """Metrics and scores in one dict."""
        return {**self.metrics, **self.scores}

    def as_dict(self) -> dict[str, Any]:
        """Returns the evaluation as plain values."""
        return asdict(self)

    def write(self, folder: Path) -> Path:
        """Saves the values in the run, as `evaluation-SPLIT.json`."""
        file = folder / f"evaluation-{self.split}.json"
        whole_file(file, json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n")
        return file


def read(folder: Path, split: str) -> Evaluation | None:
    """Reads the values saved last in a run; None if there are none."""
    try:
        return Evaluation(**json.loads((folder / f"evaluation-{split}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def evaluate(
    run: Path,
    split: str = "validation",
    checkpoint: str | None = None,
    data_dir: Path | None = None,
    progress: Any = None,
    samples: int = 5,
    overrides: Sequence[str] = (),
) -> Evaluation:
    """Measures a run on any split of its problem.

    Args:
        run: The run folder.
        checkpoint: `last`, `best`, `average` or a step.
        data_dir: Where prepared problems live.
        progress: Called while data is prepared, batches are measured and examples decoded, as `Problem.prepare` says.
        samples: How many decoded examples to return.
        overrides: Of `report.decode`, such as `report.decode.beams=1`.

    Raises:
        Kt2tError: Whatever stands in the way, with its exit status.
    """
    found = restored(run, checkpoint, overrides, lambda problem: problem.prepare(data_dir, progress))
    evaluation = evaluate_model(found.assembly, split, found.step, samples, progress)
    try:
        evaluation.write(run)
    except ResourceError as error:  # what was computed is worth more than a copy of it
        logger.warning("the result is not kept with the run: %s", error.message)
    return evaluation


def evaluate_model(
    assembly: assembling.Assembly, split: str, step: int, samples: int = 5, progress: Any = None
) -> Evaluation:
    """Measures the model of an assembly with its present weights; arguments as for `evaluate`."""
    import keras

    tell = progress or (lambda done, total, what: None)
    problem, model = assembly.problem, assembly.model
    size: dict[str, Any] = assembly.recipe.train.unpacked
    batches = problem.batches(split, **size, shuffle=False)
    count = len(batches)
    told = keras.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: tell(batch + 1, count, "batches"))
    logs = model.evaluate(batches, callbacks=[told], verbose=0, return_dict=True)
    evaluation = Evaluation(split, step, {name: float(value) for name, value in logs.items()})
    for name, (value, signature) in problem.derived_metrics(split, evaluation.metrics).items():
        evaluation.scores[name] = value
        evaluation.signatures[name] = signature
    evaluation.examples = dict.fromkeys(evaluation.values(), len(problem.prepared.records(split)))
    _answer(evaluation, assembly, samples, tell)
    return evaluation


def _answer(evaluation: Evaluation, assembly: assembling.Assembly, samples: int, tell: Any) -> None:
    """Adds the scores of the model's answers, unless the metrics give them already, and a few answers."""
    from kt2t.callbacks import DecodedText
    from kt2t.callbacks.few_examples import warn_of_few
    from kt2t.callbacks.scoring import can_be_scored, decode_split
    from kt2t.data.judging import by_name

    problem, model, split = assembly.problem, assembly.model, evaluation.split
    scores = by_name(problem.scores())
    if scores.keys() <= evaluation.metrics.keys() or not can_be_scored(model, problem):
        if samples:
            rows = DecodedText(problem, assembly.search, samples, problem.sample(samples, split)).rows(model)
            evaluation.samples = [row.fields() for row in rows]
        return
    references = problem.references(split)
    decoded: dict[int, Any] = {}
    for number, value in decode_split(model, problem, split, assembly.search, **assembly.recipe.train.shapes):
        decoded[number] = value
        tell(len(decoded), len(references), "decoding")
    chosen = sorted(decoded)
    found = problem.score([decoded[i] for i in chosen], [references[i] for i in chosen])
    evaluation.scores.update(found)
    evaluation.examples.update(dict.fromkeys(found, len(chosen)))
    warn_of_few(found, len(chosen), split)
    evaluation.signatures.update({name: score.signature for name, score in scores.items()})
    for i in chosen[:samples]:
        fields = {field: problem.written(field, value) for field, value in references[i].items()}
        evaluation.samples.append({**fields, "prediction": problem.written("targets", decoded[i])})
