from kt2t.registry import build, describe
from kt2t.scores.exact_match import ExactMatch


def test_the_share_of_equal_texts():
    assert ExactMatch().score(["a", "b ", "c"], ["a", "b", ["x", "c"]]) == {"exact_match": 2 / 3}
    assert ExactMatch(strip=True).score(["a", "b ", "d"], ["a", "b", ["x", "c"]]) == {"exact_match": 2 / 3}
    assert ExactMatch(strip=True).signature != ExactMatch().signature


def test_it_is_built_from_a_node():
    assert describe(build({"type": "ExactMatch", "strip": True})) == {"type": "ExactMatch", "strip": True}
