"""Opens a trained run in Python: `run = kt2t.load("runs/quickstart")`, then `run("forty two")` returns its answer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kt2t.run.predict import Predictor


def load(
    run: str | os.PathLike[str],
    checkpoint: str | int | None = None,
    search: Any = None,
    overrides: str | Sequence[str] = (),
) -> Run:
    """Opens a trained run: `run = kt2t.load("runs/x")`. Then `run(["a text"])` returns the model's answers.

    The run folder is enough; neither raw nor prepared data is needed.

    Args:
        run: The run folder.
        checkpoint: `best`, `last`, `average` or a step. Default: `best` if the recipe sets `report.best`, else `last`.
        search: The search that decodes answers, such as `kt2t.decoding.Beam(beams=4)`. Default: the recipe's.
        overrides: `KEY=VALUE` as on the command line, one or a list: options of the search (`report.decode.beams=4`) or
            paths of the data (`problem.path=DIR`).

    Raises:
        RunError: The run or the checkpoint does not exist or is damaged; the message names the checkpoints that exist.
        RecipeError: An override or the search is invalid.
    """
    given = [overrides] if isinstance(overrides, str) else list(overrides)
    return Run(Path(run), None if checkpoint is None else str(checkpoint), search, given)


class Run:
    """A trained run, opened by `load`, that answers examples: `run("a text")`.

    Args:
        path: The run folder.
        checkpoint, search, overrides: As for `load`.

    Attributes:
        path: The run folder.
        step: The step of the checkpoint.
        recipe: The run's recipe.
        problem: The run's problem, with the run's vocabularies.
        model: The compiled model with the checkpoint's weights. Its methods `answer` and `generate` also accept texts.
        search: The search that decodes answers.
    """

    def __init__(
        self, path: Path, checkpoint: str | None = None, search: Any = None, overrides: Sequence[str] = ()
    ) -> None:
        self._predictor = Predictor(path, checkpoint, overrides, trains=True)
        self.path = path
        self.step = self._predictor.step
        self.recipe = self._predictor.recipe
        self.problem = self._predictor.problem
        self.model = self._predictor.model
        self.search = self._predictor.search if search is None else _search(search)

    def __call__(self, examples: Any, search: Any = None) -> Any:
        """Returns the best answer to an example, or a list with the best answer to each of several examples.

        An answer is a text, the name of a class, a list of names (for tags), or else an array; for several targets it
        is a dict by target. The answer to a blank text is ''.

        Args:
            examples: One example or a list. An example is a text, or the path of a picture or recording if the model
                reads such files. It may also be another raw value of the problem's examples, or a dict of raw values by
                field.
            search: Replaces the run's search.

        Raises:
            DataError: An example does not fit; the message names it.
        """
        found = self._hypotheses(examples, search)
        best = ["" if one is None else one[0]["value"] for one in found]
        return best[0] if self._is_one(examples) else best

    def hypotheses(self, examples: Any, search: Any = None) -> Any:
        """Returns all answers to an example, best first, or a list of such lists for several examples.

        Each answer is a dict of `value` and `text`. With scores, it also holds `score`, a log-probability, and `cut`,
        which is True if the maximum length cut the answer off. Several answers need a search such as `Beam(beams=4,
        n_best=4)`.

        Args:
            examples, search: As for a call.
        """
        found = [[{"value": "", "text": ""}] if one is None else one for one in self._hypotheses(examples, search)]
        return found[0] if self._is_one(examples) else found

    def __repr__(self) -> str:
        kinds = f"{type(self.problem).__name__}, {type(self.model).__name__}"
        return f"<run {str(self.path)!r} at step {self.step:,}: {kinds}>"

    def _hypotheses(self, examples: Any, search: Any) -> list[Any]:
        one = self._is_one(examples)
        search = self.search if search is None else _search(search)
        listed = [_plain(example) for example in ([examples] if one else examples)]
        return list(self._predictor.answers(listed, list, source=None if one else "examples", search=search))

    def _is_one(self, examples: Any) -> bool:
        if isinstance(examples, np.ndarray):
            return examples.ndim <= len(self.problem.stored()[self._predictor.field].shape)
        return isinstance(examples, str | bytes | os.PathLike | Mapping) or not isinstance(examples, Iterable)


def _search(given: Any) -> Any:
    from kt2t.decoding import search_of  # imports keras

    return search_of(given)


def _plain(example: Any) -> Any:
    return os.fspath(example) if isinstance(example, os.PathLike) else example
