"""BLEU of tokens, against cases worked by hand and sacrebleu where both say the same."""

import math

import pytest

from kt2t.registry import build, describe
from kt2t.scores import Bleu, TokenBleu

PREDICTION, REFERENCE = "the cat sat on a mat", "the cat sat on the mat"


def test_a_case_worked_by_hand():
    # Of the 1- to 4-grams 5 of 6, 3 of 5, 2 of 4 and 1 of 3 are shared; the lengths are equal.
    wanted = 100 * math.exp(sum(map(math.log, [5 / 6, 3 / 5, 2 / 4, 1 / 3])) / 4)
    assert TokenBleu().score([PREDICTION], [REFERENCE])["token_bleu"] == pytest.approx(wanted)
    assert TokenBleu(orders=1).score([PREDICTION], [[REFERENCE, "x"]])["token_bleu"] == pytest.approx(500 / 6)


def test_orders_without_a_match_are_smoothed_and_those_without_room_left_out_of_the_sum():
    # 1 of 2 words; no pair, so 1 / (2 · 1); longer n-grams have no room in either, and the sum is divided by 4 all the same.
    wanted = 100 * (1 / 2 * 1 / 2) ** (1 / 4)
    assert TokenBleu().of_tokens([[7, 8]], [[7, 9]]) == pytest.approx(wanted)
    assert TokenBleu().of_tokens([[]], [[7]]) == 0


def test_what_is_too_short_is_penalised():
    whole, half = [[1, 2, 3, 4, 5, 6, 7, 8]], [[1, 2, 3, 4]]
    assert TokenBleu().of_tokens(half, whole) == pytest.approx(100 * math.exp(1 - 8 / 4))
    assert TokenBleu(brevity=False).of_tokens(half, whole) == pytest.approx(100)
    assert TokenBleu().of_tokens(whole, half) < 100


def test_a_corpus_scores_as_with_sacrebleus_international_tokeniser(wmt17):
    reference, systems = wmt17
    for system in ("uedin-nmt", "C-3MA"):
        wanted = Bleu(tokenize="intl").score(systems[system][:300], reference[:300])["bleu"]
        found = TokenBleu().score(systems[system][:300], reference[:300])["token_bleu"]
        assert found == pytest.approx(wanted, abs=1e-6)


def test_case_is_an_option_and_orders_are_checked():
    assert TokenBleu(lowercase=True).score(["A B C D"], ["a b c d"])["token_bleu"] == pytest.approx(100)
    assert TokenBleu(lowercase=True).signature != TokenBleu().signature != TokenBleu(orders=2).signature
    assert describe(build({"type": "TokenBleu", "orders": 2})) == {"type": "TokenBleu", "orders": 2}
    with pytest.raises(ValueError, match="orders: 0 is not positive"):
        TokenBleu(orders=0)
