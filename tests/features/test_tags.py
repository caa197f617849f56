import pytest

from kt2t.features import Tags


def test_a_tag_is_its_number_plus_one():
    assert Tags(17).limits == (1, 17)


def test_tags_share_the_segments_of_the_inputs_and_are_not_fed_back():
    assert Tags(17).shares_segments_with == "inputs"
    assert Tags(17).is_packable and not Tags(17).is_fed_back
    with pytest.raises(ValueError, match="num_classes: 0"):
        Tags(0)
