import pytest

from kt2t.features import MultiLabel


def test_there_is_a_zero_or_one_for_each_class():
    assert MultiLabel(5).shape == (5,) and MultiLabel(5).limits == (0, 1)
    with pytest.raises(ValueError, match="num_classes: -1"):
        MultiLabel(-1)
