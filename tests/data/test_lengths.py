"""Which fields have a length, and which limit holds for each."""

from __future__ import annotations

import pytest

from kt2t.data.lengths import check_max_length, limits_of, own_lengths, segment_source
from kt2t.errors import RecipeError
from kt2t.features import Audio, Label, Tags, Text, flat

PAIR = {"inputs": Text(9), "targets": Text(9)}
TAGGED = {"inputs": Text(9), "targets": {"tags": Tags(3), "topic": Label(2)}, "speaker": Label(4)}


def test_fields_with_a_length_of_their_own():
    assert list(own_lengths(PAIR)) == ["inputs", "targets"]
    assert list(own_lengths(TAGGED)) == ["inputs"], "tags have the length of the inputs"
    assert list(own_lengths({"targets": Tags(3)})) == ["targets"], "where there are no inputs, tags have their own"
    assert segment_source(flat(TAGGED), "targets.tags") == "inputs"


def test_one_limit_for_all_and_one_for_each():
    assert limits_of(None, PAIR) == {}
    assert limits_of(7, PAIR) == {"inputs": 7, "targets": 7}
    assert limits_of({"inputs": 7}, PAIR) == {"inputs": 7}
    assert limits_of({"targets": 5, "inputs": 7}, PAIR) == {"inputs": 7, "targets": 5}
    assert limits_of(7, {"inputs": Audio(), "targets": Label(3)}) == {"inputs": 7}


def test_fields_that_share_segments_share_the_smaller_limit():
    assert limits_of({"inputs": 7, "targets.tags": 5}, TAGGED) == {"inputs": 5}
    assert limits_of({"inputs": 7, "targets": 9}, TAGGED) == {"inputs": 7}


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"target": 5}, "'target' is not a field with a length. Did you mean 'targets'"),
        ({"speaker": 5}, r"'speaker' is not a field with a length. Label\(num_classes=4\) has no length"),
    ],
)
def test_a_limit_of_no_field(limits, message):
    with pytest.raises(RecipeError, match=message):
        limits_of(limits, {**PAIR, "speaker": Label(4)})


def test_a_limit_that_is_not_positive():
    check_max_length(None)
    check_max_length({"inputs": 1})
    with pytest.raises(ValueError, match=r"max_length\.inputs: 0 is not positive"):
        check_max_length({"inputs": 0})
    with pytest.raises(ValueError, match=r"max_length: -3 is not positive"):
        check_max_length(-3)
