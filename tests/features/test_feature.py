import pytest

from kt2t import registry
from kt2t.features import Audio, Encoded, Image, Label, MultiLabel, Numbers, Tags, Text, flat

ALL = [Text(8000), Tags(17), Label(10), MultiLabel(5), Image(32, 32), Audio(), Numbers(4), Encoded()]


@pytest.mark.parametrize("feature", ALL, ids=repr)
def test_described_and_built_again_it_is_the_same(feature):
    node = registry.describe(feature)
    assert registry.build(node) == feature
    assert registry.describe(registry.build(node)) == node
    assert hash(registry.build(node)) == hash(feature)


def test_equal_means_same_kind_and_options():
    assert Text(8000) == Text(vocabulary_size=8000, vocabulary=None)
    assert Text(8000) != Text(8000, vocabulary="de")
    assert Label(10) != Tags(10)


def test_only_fields_of_variable_length_have_segments():
    assert [feature.has_segments for feature in ALL] == [True, True, False, False, False, True, False, True]
    assert Image(8, 6, 1).shape == (8, 6, 1)


def test_positions_are_values_unless_a_kind_says_otherwise():
    assert Text(9).positions([3, 5]).tolist() == [3, 5]


def test_a_dict_of_targets_is_spread_out():
    fields = {"inputs": Text(9), "targets": {"tags": Tags(3), "label": Label(2)}}
    assert flat(fields) == {"inputs": Text(9), "targets.tags": Tags(3), "targets.label": Label(2)}
