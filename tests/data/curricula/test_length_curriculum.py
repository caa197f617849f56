import pytest

from kt2t.data import LengthCurriculum


def test_the_longest_inputs_grow_in_equal_steps():
    curriculum = LengthCurriculum(start=5, epochs=4)
    assert [curriculum.longest(epoch, 20) for epoch in range(6)] == [5, 8, 12, 16, None, None]


def test_numbers_must_be_positive():
    with pytest.raises(ValueError, match="start: 0 is not positive"):
        LengthCurriculum(start=0, epochs=4)
    with pytest.raises(ValueError, match="epochs: 0 is not positive"):
        LengthCurriculum(start=5, epochs=0)
