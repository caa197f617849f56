import pytest

from kt2t.features import Label


def test_a_label_is_one_number_and_cannot_be_packed():
    assert Label(10).limits == (0, 9) and Label(10).shape == ()
    assert not Label(10).is_packable and not Label(10).has_segments
    with pytest.raises(ValueError, match="num_classes: 0"):
        Label(0)
