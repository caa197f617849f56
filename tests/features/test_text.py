import pytest

from kt2t.features import Text


def test_ids_run_from_end_to_the_last_of_the_vocabulary():
    assert Text(8000).limits == (1, 7999)
    assert Text(8000).is_fed_back and Text(8000).is_packable and Text(8000).has_segments


def test_a_vocabulary_holds_at_least_padding_and_end():
    with pytest.raises(ValueError, match="vocabulary_size: 1 leaves no room"):
        Text(1)
