"""What a run is worth on a split: metrics of tensors, scores of decoded text, and a few examples to look at."""

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
    """The figures of one split at one step; `signatures` say how each score was computed."""

    split: str
    step: int
    metrics: dict[str, float]
    scores: dict[str, float] = field(default_factory=dict)
    signatures: dict[str, str] = field(default_factory=dict)
    samples: list[dict[str, str]] = field(default_factory=list)

    def values(self) -> dict[str, float]:
        """Metrics and scores together."""
        return {**self.metrics, **self.scores}

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def write(self, folder: Path) -> Path:
        """Keeps the figures with the run, as `evaluation-SPLIT.json`."""
        file = folder / f"evaluation-{self.split}.json"
        whole_file(file, json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n")
        return file


def read(folder: Path, split: str) -> Evaluation | None:
    """The figures that were kept last with a run; None where there are none."""
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
        progress: Told of the preparation, of batches measured and of examples decoded, as `Problem.prepare` says.
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
    """Measures the model of an assembly as it is; the arguments are those of `evaluate`."""
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
    if not hasattr(model, "generate"):
        return evaluation
    from kt2t.callbacks import DecodedText
    from kt2t.callbacks.scoring import decode_split
    from kt2t.decoding import has_source

    scores = problem.scores()
    if not has_source(problem.features()):
        # Only its own words make the rest of a text wrong, so there is something to read and nothing to score.
        if samples:
            rows = DecodedText(problem, assembly.search, samples, problem.sample(samples, split)).rows(model)
            evaluation.samples = [{"targets": row.targets, "prediction": row.prediction} for row in rows]
    elif scores:
        references = problem.references(split)
        decoded: dict[int, str] = {}
        for number, text in decode_split(model, problem, split, assembly.search, **assembly.recipe.train.shapes):
            decoded[number] = text
            tell(len(decoded), len(references), "decoding")
        chosen = sorted(decoded)
        evaluation.scores.update(problem.score([decoded[i] for i in chosen], [references[i] for i in chosen]))
        evaluation.signatures.update({score.name: score.signature for score in scores})
        evaluation.samples = [{**references[i], "prediction": decoded[i]} for i in chosen[:samples]]
    return evaluation
