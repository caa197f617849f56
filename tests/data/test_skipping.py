"""What may be left out, up to how many, and that references stay beside their records."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from kt2t.data.problem import Problem
from kt2t.data.skipping import Skipped, encoded_or_skipped
from kt2t.errors import DataError
from kt2t.features import Label, Numbers
from kt2t.registry import register


@register
class EverySeventhBroken(Problem):
    """Numbers from 0 on, of which every seventh cannot be encoded; their class is their parity."""

    def __init__(self, skip: int = 0, count: int = 30) -> None:
        super().__init__()
        self.skip = skip
        self.count = count

    def examples(self, split):
        yield from ({"inputs": [float(n)], "targets": n % 2} for n in range(1, self.count + 1))

    def encode(self, example):
        if example["inputs"][0] % 7 == 0:
            raise DataError(f"number {example['inputs'][0]:g} is broken.")
        return {"inputs": np.array(example["inputs"], np.float32), "targets": np.int32(example["targets"])}

    def features(self):
        return {"inputs": Numbers(1), "targets": Label(2)}


def test_nothing_is_left_out_without_an_allowance(tmp_path):
    with pytest.raises(DataError, match="^number 7 is broken.$"):
        EverySeventhBroken().prepare(tmp_path)
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_as_many_as_allowed_are_left_out_logged_and_counted(tmp_path, caplog):
    problem = EverySeventhBroken(skip=4)
    with caplog.at_level(logging.WARNING, "kt2t"):
        problem.prepare(tmp_path)
    for split in ("train", "validation"):
        note = problem.prepared.manifest["splits"][split]
        assert (note["records"], note["dropped"]) == (26, {"damage": 4})
    assert "train: left out: number 14 is broken." in caplog.text
    inputs = problem.sample(30)["inputs"][:, 0]
    assert inputs.tolist() == [n for n in range(1, 31) if n % 7]
    assert [line["targets"] for line in problem.references("validation")] == [str(int(n) % 2) for n in inputs]


def test_one_more_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DataError, match="number 28 is broken. This is one more than problem.skip, 3, allows"):
        EverySeventhBroken(skip=3).prepare(tmp_path)
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_the_rest_of_a_chunk_is_encoded():
    problem = EverySeventhBroken(skip=1)
    kept, arrays, errors = encoded_or_skipped(problem, list(problem.examples("train"))[:8])
    assert [int(one["inputs"][0]) for one in kept] == [1, 2, 3, 4, 5, 6, 8] and len(arrays) == 7 and len(errors) == 1
    skipped = Skipped("train", 1)
    skipped.add(errors)
    with pytest.raises(DataError):
        skipped.add(errors)
