import pytest

from kt2t.scores import LabelF1


def test_f1_of_all_labels_counted_by_hand():
    # hits 1 + 0 + 2, predicted 2 + 0 + 2, right 1 + 1 + 3
    found = LabelF1().score([["a", "b"], [], ["c", "a"]], [["a"], ["b"], ["a", "b", "c"]])
    assert found == {"f1": pytest.approx(2 * 3 / (4 + 5))}


def test_nothing_at_all_is_zero():
    assert LabelF1().score([[]], [[]]) == {"f1": 0.0}
    assert LabelF1().signature == "f1|average:micro"
