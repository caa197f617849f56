"""ROUGE of tokens, against cases worked by hand."""

import pytest

from kt2t.registry import build, describe
from kt2t.scores import TokenRouge


def test_a_case_worked_by_hand():
    # Prediction a b c d, reference a c d e f. Words: 3 shared of 4 and 5. Pairs: c d, of 3 and 4. Longest common: a c d.
    figures = TokenRouge().score(["a b c d"], ["a c d e f"])
    assert figures["token_rouge_1"] == pytest.approx(2 * 3 / (4 + 5))
    assert figures["token_rouge_2"] == pytest.approx(2 * 1 / (3 + 4))
    recall, precision = 3 / 5, 3 / 4
    beta = precision / recall
    wanted = (1 + beta**2) * recall * precision / (recall + beta**2 * precision)
    assert figures["token_rouge"] == pytest.approx(wanted)


def test_an_ngram_counts_once_however_often_it_stands():
    assert TokenRouge().of_tokens([[3, 3, 3, 4]], [[3, 4]])["token_rouge_1"] == pytest.approx(1)


def test_the_mean_goes_over_the_pairs_and_nothing_in_common_is_zero():
    figures = TokenRouge().of_tokens([[1, 2], [5, 6], []], [[1, 2], [7, 8], [3]])
    assert figures == pytest.approx({"token_rouge": 1 / 3, "token_rouge_1": 1 / 3, "token_rouge_2": 1 / 3})


def test_the_order_decides_what_is_common():
    assert TokenRouge().of_tokens([[1, 2, 3]], [[3, 2, 1]])["token_rouge"] == pytest.approx(1 / 3)


def test_it_is_built_from_a_node():
    assert describe(build({"type": "TokenRouge"})) == {"type": "TokenRouge"}
    assert "token_rouge" in TokenRouge().signature
