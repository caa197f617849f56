import pytest

from kt2t.features import Image


def test_a_picture_has_bytes_of_a_fixed_size():
    assert Image(8, 6, 1).shape == (8, 6, 1) and Image(8, 6).shape == (8, 6, 3)
    assert Image(8, 6).dtype == "uint8" and Image(8, 6).limits == (0, 255) and not Image(8, 6).has_segments
    with pytest.raises(ValueError, match="width: 0"):
        Image(8, 0)
