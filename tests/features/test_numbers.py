import pytest

from kt2t.features import Numbers


def test_a_vector_has_a_size_and_no_limits():
    assert Numbers(4).shape == (4,) and Numbers(4).limits is None
    with pytest.raises(ValueError, match="size: 0"):
        Numbers(0)
