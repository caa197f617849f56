import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt2t.data.algorithmic.addition import Addition
from kt2t.data.algorithmic.arithmetic import digits, number


@given(st.integers(0, 10**60))
def test_digits_are_those_of_python(value):
    assert "".join(map(str, reversed(digits(value, 10)))) == str(value)
    assert "".join(map(str, reversed(digits(value, 2)))) == f"{value:b}"
    assert number(map(int, reversed(str(value))), 10) == value
    assert number(digits(value, 7), 7) == value


@pytest.mark.parametrize("split", ["train", "long"])
def test_numbers_have_the_lengths_and_top_digits_of_the_definition(split):
    problem = Addition(base=3, max_length=8, evaluation_length=11, train_examples=3000, validation_examples=3000)
    longest = 8 if split == "train" else 11
    lengths, tops_of_one = set(), set()
    for example in problem.examples(split):
        inputs = example["inputs"].tolist()
        assert inputs.count(3) == 1
        middle = inputs.index(3)
        first, second = inputs[:middle], inputs[middle + 1 :]
        assert 1 <= len(first) <= longest // 2 and len(second) >= 1
        assert all(len(one) == 1 or one[-1] > 0 for one in (first, second))
        tops_of_one.update(one[0] for one in (first, second) if len(one) == 1)
        lengths.add((len(first), len(second)))
    assert tops_of_one == {0, 1, 2}
    allowed = {(a, b) for a in range(1, longest // 2 + 1) for b in range(1, longest - a)}
    assert lengths == {(a, b) for a, b in allowed if split == "train" or a + b + 1 > 8}


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="base: 1"):
        Addition(base=1)
    with pytest.raises(ValueError, match="max_length: 2"):
        Addition(max_length=2)


def test_the_smallest_length_works():
    inputs = [example["inputs"] for example in Addition(max_length=3, train_examples=20).examples("train")]
    assert np.shape(inputs) == (20, 3)
