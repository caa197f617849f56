import pytest

from kt2t.data.algorithmic.shift import Shift


def test_the_shift_is_added_to_each_symbol():
    problem = Shift(symbols=10, shift=3)
    assert problem.vocabulary.size == 2 + 13
    for example in problem.examples("train", 0, 50):
        assert max(example["inputs"]) < 10
        assert example["targets"].tolist() == [symbol + 3 for symbol in example["inputs"].tolist()]


def test_a_negative_shift_is_refused():
    with pytest.raises(ValueError, match="shift: -1 is negative"):
        Shift(shift=-1)
