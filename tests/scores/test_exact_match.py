import numpy as np

from kt2t.registry import build, describe
from kt2t.scores.exact_match import ExactMatch


def test_the_share_of_equal_texts():
    assert ExactMatch().score(["a", "b ", "c"], ["a", "b", ["x", "c"]]) == {"exact_match": 2 / 3}
    assert ExactMatch(strip=True).score(["a", "b ", "d"], ["a", "b", ["x", "c"]]) == {"exact_match": 2 / 3}
    assert ExactMatch(strip=True).signature != ExactMatch().signature


def test_values_that_are_no_texts():
    tags = [["N", "V"], ["N"], []]
    assert ExactMatch().score(tags, [["N", "V"], ["V"], []]) == {"exact_match": 2 / 3}
    assert ExactMatch().score([["N"], ["V"]], [[["X"], ["N"]], [["X"]]]) == {"exact_match": 1 / 2}, "several references"
    arrays = [np.array([1.0, 2.0]), np.array([1.0])]
    assert ExactMatch().score(arrays, [np.array([1.0, 2.0]), [1.0, 2.0]]) == {"exact_match": 1 / 2}
    assert ExactMatch().score([3, 4], [3, "4"]) == {"exact_match": 1 / 2}


def test_it_is_built_from_a_node():
    assert describe(build({"type": "ExactMatch", "strip": True})) == {"type": "ExactMatch", "strip": True}
