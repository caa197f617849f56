"""Half copy, half repeat-even: what a model does with inputs that have two right answers.

    python benchmarks/two_answers.py [steps]

A tagger chooses every position by itself; a model that decodes reads what it wrote. Prints the share of right answers.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from measure import record

import kt2t
from kt2t.callbacks.scoring import decode_split
from kt2t.data.algorithmic.half_copy_half_repeat_even import HalfCopyHalfRepeatEven
from kt2t.decoding import Greedy, Sample
from kt2t.features import Tags
from kt2t.recipe_file import load
from kt2t.run.assemble import assemble


@kt2t.register
class HalfCopyTags(HalfCopyHalfRepeatEven):
    """The same task as one tag for each input symbol: inputs of even length, whose answers are as long as they are."""

    def features(self) -> dict[str, Any]:
        return {"inputs": super().features()["inputs"], "targets": Tags(self.symbols + 1)}

    def draw(self, chance: np.random.Generator, count: int, shortest: int, longest: int) -> list[np.ndarray]:
        return [row[: len(row) // 2 * 2] for row in super().draw(chance, count, max(2, shortest), longest)]

    def decode(self, field: str, value: Any) -> Any:
        return super().decode("inputs", value)  # a tag is a symbol


def accepted(kind: type, searches: dict[str, Any], steps: str, *overrides: str) -> dict[str, Any]:
    """Trains a model: for each search the shares of its answers that are right."""
    recipe = load("algorithmic/half_copy_half_repeat_even", (f"train.steps={steps}", *overrides))
    problem = kind(symbols=10, max_length=12, evaluation_length=12, validation_examples=1000)
    problem.prepare()
    model, found = assemble(recipe, problem).model, {}
    model.fit(problem.batches("train", **recipe.train.batch), steps_per_epoch=recipe.train.steps, verbose=2)
    for name, search in searches.items():
        answers = [answer for _, answer in sorted(decode_split(model, problem, "validation", search))]
        score = problem.score(answers, problem.references("validation"))
        found[name] = {share: round(score[share], 4) for share in ("accepted", "copies", "repeats")}
    return found


def main(steps: str = "4000") -> None:
    found = accepted(HalfCopyHalfRepeatEven, {"greedy": Greedy(), "sampling": Sample(seed=1)}, steps)
    found |= accepted(HalfCopyTags, {"tagger": None}, steps, "model.type=TransformerEncoder")
    record("two_answers", **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
