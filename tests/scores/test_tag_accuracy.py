from kt2t.scores import TagAccuracy


def test_tags_are_compared_place_by_place():
    found = TagAccuracy().score([["A", "B", "B"], ["A"]], [["A", "B", "A"], ["A"]])
    assert found == {"tag_accuracy": 3 / 4}


def test_a_place_that_one_side_lacks_is_wrong():
    assert TagAccuracy().score([["A", "B"], []], [["A"], ["A", "A"]]) == {"tag_accuracy": 1 / 4}
    assert TagAccuracy().score([[]], [[]]) == {"tag_accuracy": 0.0}


def test_of_several_references_the_first_counts():
    assert TagAccuracy().score([["A"]], [[["A"], ["B"]]]) == {"tag_accuracy": 1.0}
    assert TagAccuracy().signature == "tag_accuracy"
