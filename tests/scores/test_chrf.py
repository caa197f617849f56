import pytest

from kt2t.registry import build, describe
from kt2t.scores.chrf import ChrF


def test_every_system_of_wmt22_scores_as_published(wmt22):
    reference, systems = wmt22
    assert len(systems) == 9
    for system, (predictions, published) in systems.items():
        assert ChrF().score(predictions, reference)["chrf"] == pytest.approx(published["chrf-A"], abs=5e-5), system


def test_a_case_worked_by_hand():
    # Without spaces, "abc" against "abd": 2 of 3 single characters and 1 of 2 pairs are shared; P = R = F.
    assert ChrF(characters=2).score(["ab c"], ["abd"])["chrf"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)


def test_recall_counts_four_times_as_much_as_precision():
    # 1-grams only: P = 1, R = 1/2, F2 = 5 · 1 · ½ / (4 · 1 + ½)
    assert ChrF(characters=1).score(["ab"], ["abcd"])["chrf"] == pytest.approx(100 * 2.5 / 4.5)


def test_options():
    assert "nw:2" in ChrF(words=2).signature
    with pytest.raises(ValueError, match="characters: 0"):
        ChrF(characters=0)
    with pytest.raises(ValueError, match="words: -1"):
        ChrF(words=-1)
    assert describe(build({"type": "ChrF", "words": 2})) == {"type": "ChrF", "words": 2}
