import pytest

from kt2t import registry
from kt2t.features import Audio, Image, Label, MultiLabel, Numbers, Tags, Text

ALL = [Text(8000), Tags(17), Label(10), MultiLabel(5), Image(32, 32), Audio(), Numbers(4)]


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
    assert [feature.has_segments for feature in ALL] == [True, True, False, False, False, True, False]
    assert Image(8, 6, 1).shape == (8, 6, 1)


@pytest.mark.parametrize("make", [lambda: Text(1), lambda: Label(0), lambda: Image(0, 3), lambda: Audio(-1)])
def test_impossible_sizes_are_refused(make):
    with pytest.raises(ValueError, match=r"^(vocabulary_size|num_classes|height|rate): "):
        make()
