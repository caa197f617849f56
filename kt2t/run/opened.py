"""Opens a trained run in Python: `run = kt2t.load("runs/quickstart")`, then `run("forty two")`."""

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
    """Opens a trained run: `run = kt2t.load("runs/x")`, then `run(["a text"])`. None of its data is needed.

    Args:
        run: The run folder.
        checkpoint: `best`, `last`, `average` or a step; by default `best` if the recipe sets `report.best`, else `last`.
        search: How texts are decoded, such as `kt2t.decoding.Beam(beams=4)`; as the recipe says by default.
        overrides: As on the command line: `report.decode.KEY=VALUE`, or where data lies now, as in `problem.path=DIR`.

    Raises:
        RunError: There is no such run or checkpoint, or it is damaged; the message names those that there are.
        RecipeError: An override or a search that cannot be.
    """
    given = [overrides] if isinstance(overrides, str) else list(overrides)
    return Run(Path(run), None if checkpoint is None else str(checkpoint), search, given)


class Run:
    """A trained run that answers; made by `load`, which says what the arguments are.

    Attributes:
        path: The run folder.
        step: The step of the checkpoint.
        recipe: The run's recipe.
        problem: Its problem, with the vocabularies of the run.
        model: Its compiled model, with the weights of the checkpoint. Its `answer` and `generate` take texts, too.
        search: The search that decodes.
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
        """The best answer to an example, or the list of those to several.

        An answer is what scores compare: a text; the name of a class; a list of names, for tags; otherwise an array. Of
        several targets it is a dict. The answer to a blank text is a blank text.

        Args:
            examples: A text, or a list of texts; where the model reads pictures or recordings, their paths. In place of a
                text, a dict of fields or another raw value, as `problem.examples` gives them.
            search: In place of the run's own.

        Raises:
            DataError: An example does not fit; it is named.
        """
        found = self._hypotheses(examples, search)
        best = ["" if one is None else one[0]["value"] for one in found]
        return best[0] if self._is_one(examples) else best

    def hypotheses(self, examples: Any, search: Any = None) -> Any:
        """All answers to an example, best first, or the list of those to several; the arguments are those of a call.

        Each is a dict: `value`, `text`, and where there are scores `score`, a log-probability, and `cut`: whether the
        limit on an answer's length cut it off. More than one comes of `kt2t.decoding.Beam(beams=4, n_best=4)`.
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
