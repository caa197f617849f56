import time

import numpy as np
import pytest

from kt2t.data import (
    Addition,
    HalfCopyHalfRepeatEven,
    Identity,
    Multiplication,
    RepeatEven,
    Reverse,
    ReverseZipf,
    Shift,
    Sort,
)
from kt2t.data.blocks import BLOCK
from kt2t.data.location import folder_for
from kt2t.errors import DataError, RecipeError
from kt2t.features import Text
from kt2t.registry import build, describe

PROBLEMS = [
    Identity,
    Shift,
    Reverse,
    Sort,
    Addition,
    Multiplication,
    ReverseZipf,
    RepeatEven,
    HalfCopyHalfRepeatEven,
]
each_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda cls: cls.__name__)


def rows(problem, split, *span):
    return [{name: value.tolist() for name, value in one.items()} for one in problem.examples(split, *span)]


@each_problem
def test_counts_and_lengths_are_as_asked_for(problem):
    made = problem(max_length=12, evaluation_length=50, train_examples=1500, validation_examples=300)
    assert made.splits() == ("train", "validation", "long")
    train, validation, long = (rows(made, split) for split in made.splits())
    assert (len(train), len(validation), len(long)) == (1500, 300, 300)
    lengths = {len(one["inputs"]) for one in train + validation}
    assert max(lengths) <= 12 and len(lengths) >= 9
    lengths = {len(one["inputs"]) for one in long}
    assert min(lengths) > 12 and max(lengths) <= 50 and len(lengths) > 20


@each_problem
def test_train_and_validation_share_no_input(problem):
    made = problem(max_length=10, train_examples=5000, validation_examples=1000)
    train, validation = ({tuple(one["inputs"]) for one in rows(made, split)} for split in ("train", "validation"))
    assert not train & validation
    assert len(validation) > 30


@each_problem
def test_an_example_depends_on_seed_split_and_number_alone(problem):
    made = problem(max_length=8, evaluation_length=20, train_examples=2 * BLOCK + 300)
    all_at_once = rows(made, "train")
    start = BLOCK - 5
    assert (
        rows(problem(max_length=8, evaluation_length=20), "train", start, start + BLOCK + 10)
        == all_at_once[start : start + BLOCK + 10]
    )
    assert rows(made, "train", 2 * BLOCK + 290) == all_at_once[-10:]
    other = rows(problem(max_length=8, evaluation_length=20, seed=1, train_examples=50), "train")
    assert other != all_at_once[:50]


@each_problem
def test_every_symbol_is_within_the_vocabulary_and_every_id_is_used(problem):
    made = problem(max_length=9, evaluation_length=30, train_examples=3000, validation_examples=200)
    features = made.features()
    assert features["inputs"] == features["targets"] == Text(made.vocabulary.size)
    seen = set()
    for split in made.splits():
        for example in made.examples(split):
            encoded = made.encode(example)
            for field, ids in encoded.items():
                assert ids.dtype == np.int32
                assert ids[-1] == 1 and ids[:-1].min(initial=2) >= 2
                assert made.decode(field, ids) == " ".join(map(str, example[field].tolist()))
                seen.update(ids.tolist())
    assert max(seen) < made.vocabulary.size
    if problem is not ReverseZipf:
        assert seen == set(range(1, made.vocabulary.size))


@each_problem
def test_options_make_a_node_and_wrong_ones_are_refused(problem):
    made = build({"type": problem.__name__, "max_length": 7, "seed": 3}, "problem")
    assert describe(made) == {"type": problem.__name__, "max_length": 7, "seed": 3}
    assert rows(made, "train", 0, 5) == rows(build(describe(made, full=True)), "train", 0, 5)
    for option in ("max_length", "evaluation_length", "train_examples", "validation_examples"):
        with pytest.raises(ValueError, match=f"{option}: 0"):
            problem(**{option: 0})
    with pytest.raises(ValueError, match="seed: -1"):
        problem(seed=-1)
    with pytest.raises(DataError, match="has no split 'test'.*train"):
        next(made.examples("test"))


def test_without_longer_lengths_there_is_no_long_split():
    assert Identity(max_length=9, evaluation_length=9).splits() == ("train", "validation")


def test_a_space_too_small_to_split_is_shared():
    made = Identity(symbols=2, max_length=3, train_examples=2000, validation_examples=2000)
    train, validation = ({tuple(one["inputs"]) for one in rows(made, split)} for split in ("train", "validation"))
    assert len(train) == len(validation) == 2 + 4 + 8


def test_lengths_and_symbols_are_even():
    made = Identity(symbols=4, max_length=5, train_examples=20_000)
    train = rows(made, "train")
    lengths = np.bincount([len(one["inputs"]) for one in train])[2:]
    assert np.abs(lengths / len(train) - 1 / 5).max() < 0.04
    symbols = np.bincount(np.concatenate([one["inputs"] for one in train]))
    assert np.abs(symbols / symbols.sum() - 1 / 4).max() < 0.03


@each_problem
def test_making_a_hundred_thousand_examples_takes_seconds(problem):
    made = problem()
    start = time.process_time()
    assert sum(1 for _ in made.examples("train", 0, 10_000)) == 10_000
    assert time.process_time() - start < 1.5


CURRICULUM = {"type": "LengthCurriculum", "start": 4, "epochs": 2}


def test_a_curriculum_limits_early_epochs_of_training_alone(tmp_path):
    sizes = {"max_length": 9, "evaluation_length": 9, "train_examples": 400, "validation_examples": 50}
    made, free = Addition(base=2, curriculum=CURRICULUM, **sizes), Addition(base=2, **sizes)
    assert folder_for(made, tmp_path) == folder_for(free, tmp_path), "it changes no record"
    made.prepare(tmp_path)
    batches = made.batches("train", tokens=200, seed=1)
    each = len(batches)
    longest = [
        max(batches.batch(step)[0]["inputs_segments"].sum(1).max() for step in range(each * epoch, each * (epoch + 1)))
        for epoch in range(3)
    ]
    assert longest == [4 + 1, 6 + 1, 9 + 1]  # each with its end
    assert max(one[0]["inputs_segments"].sum(1).max() for one in made.batches("validation", tokens=200)) == 10
    later = next(iter(batches.at(each + 3)))[0]["inputs"]
    np.testing.assert_array_equal(later, batches.batch(each + 3)[0]["inputs"])
    with pytest.raises(RecipeError, match="a curriculum needs one example a row"):
        made.batches("train", tokens=200, pack=20)


@each_problem
def test_every_problem_takes_a_curriculum_and_refuses_one_beyond_its_lengths(problem):
    node = {"type": problem.__name__, "max_length": 7, "curriculum": CURRICULUM}
    assert describe(build(node, "problem")) == node
    with pytest.raises(ValueError, match="starts with inputs of 8 symbols, and there are inputs of . to 7"):
        problem(max_length=7, curriculum={**CURRICULUM, "start": 8})
    with pytest.raises(ValueError, match="curriculum: .* is none. Use"):
        problem(curriculum={"type": "Symbols", "count": 3})


def test_a_sum_has_no_inputs_of_two_symbols():
    with pytest.raises(ValueError, match="starts with inputs of 2 symbols, and there are inputs of 3 to 7"):
        Addition(max_length=7, curriculum={**CURRICULUM, "start": 2})
