"""Evaluates a run on a split: metrics of the model's outputs, scores of decoded answers, and a few decoded examples."""

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
    """The result of evaluating a model on one split at one step.

    Attributes:
        split: Name of the split, such as `validation`.
        step: The training step of the weights.
        metrics: Losses and metrics of the model's outputs, by name, such as `loss` and `accuracy`.
        scores: Scores of decoded answers, such as `bleu`, and values derived from the metrics, such as bits per byte.
        signatures: How each score was computed, by the score's name.
        samples: A few examples: the text of each field, and the model's answer.
        examples: Number of examples that each metric and score was computed over, by name.
    """

    split: str
    step: int
    metrics: dict[str, float]
    scores: dict[str, float] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=dict)
    samples: list[dict[str, str]] = field(default_factory=list)
    examples: dict[str, int] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """Returns metrics and scores together, by name."""
        return {**self.metrics, **self.scores}

    def as_dict(self) -> dict[str, Any]:
        """Returns the evaluation as a dict of plain values, ready for JSON."""
        return asdict(self)

    def write(self, folder: Path) -> Path:
        """Saves the evaluation as `evaluation-SPLIT.json` in `folder`, and returns the file's path."""
        file = folder / f"evaluation-{self.split}.json"
        whole_file(file, json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n")
        return file


def read(folder: Path, split: str) -> Evaluation | None:
    """Reads the evaluation of a split that was last saved in a run; None if there is none or the file is damaged.

    Args:
        folder: The run folder.
        split: Name of the split.
    """
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
    """Evaluates a checkpoint of a run on a split of the run's problem, and saves the result in the run folder.

    Args:
        run: The run folder.
        split: Name of the split.
        checkpoint: `last`, `best`, `average` or a step. Default: `best` if the recipe sets `report.best`, else `last`.
        data_dir: Folder of prepared data. Data that is not prepared is prepared first.
        progress: Function (done, total, what), called while data is prepared, batches are measured and examples
            decoded.
        samples: Number of decoded examples to return.
        overrides: `KEY=VALUE` for the search, such as `report.decode.beams=1`, or for the data's path, such as
            `problem.path=DIR`.

    Raises:
        Kt2tError: The run, the checkpoint or the data is missing, damaged or does not fit, or an override is invalid.
    """
    found = restored(run, checkpoint, overrides, lambda problem: problem.prepare(data_dir, progress))
    evaluation = evaluate_model(found.assembly, split, found.step, samples, progress)
    try:
        evaluation.write(run)
    except ResourceError as error:  # the result is returned all the same
        logger.warning("the result is not kept with the run: %s", error.message)
    return evaluation


def evaluate_model(
    assembly: assembling.Assembly, split: str, step: int, samples: int = 5, progress: Any = None
) -> Evaluation:
    """Evaluates the assembly's model, with its present weights, on a split of its problem. Writes no file.

    Args:
        assembly: The objects of a run; the problem's data must be prepared.
        split: Name of the split.
        step: The training step of the weights; only copied to the result.
        samples: Number of decoded examples to return.
        progress: Function (done, total, what), called while batches are measured and examples decoded.
    """
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
    """Decodes the split and adds scores and samples to the evaluation. If the metrics already include every score, or
    the model cannot be scored, it decodes the samples alone.
    """
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
