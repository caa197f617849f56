"""BLEU and ROUGE of texts and of ids against Tensor2Tensor's."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.scores import TokenBleu, TokenRouge

pytestmark = pytest.mark.cases("util_bleu_rouge")
BETWEEN = "\x01"


def _near(found, wanted):
    np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("side", ["references", "hypotheses"])
def test_tokens(case, side):
    wanted = [[word for word in str(line).split(BETWEEN) if word] for line in case[f"out/tokenised_{side}"]]
    assert TokenBleu().tokens(list(map(str, case[f"in/{side}"]))) == wanted


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bleu_corpus", {}),
        ("bleu_uncased", {"lowercase": True}),
        ("bleu_no_brevity", {"brevity": False}),
        ("bleu_order2", {"orders": 2}),
    ],
)
def test_corpus(case, name, options):
    texts = [list(map(str, case[f"in/{side}"])) for side in ("hypotheses", "references")]
    _near(TokenBleu(**options).score(*texts)["token_bleu"] / 100, case[f"out/{name}"])


def test_each_pair(case):
    """Upstream has no figure for an empty hypothesis; ours is 0."""
    for one, other, wanted in zip(case["in/hypotheses"], case["in/references"], case["out/bleu_each"], strict=True):
        found = TokenBleu().score([str(one)], [str(other)])["token_bleu"] / 100
        _near(found, 0.0 if np.isnan(wanted) else wanted)


def test_padded_ids(case):
    """As upstream's metrics see them, with padding among the tokens."""
    found, right = case["in/hyp_ids"].tolist(), case["in/ref_ids"].tolist()
    _near(TokenBleu().of_tokens(found, right) / 100, case["out/approx_bleu_padded_ids"])
    figures = TokenRouge().of_tokens(found, right)
    _near(figures["token_rouge"], case["out/rouge_l_padded_ids"])
    _near(figures["token_rouge_2"], case["out/rouge_2_padded_ids"])


def test_each_row_of_ids(case):
    for place, row in enumerate(case["in/nonempty_rows"]):
        found, right = ([one for one in case[f"in/{side}_ids"][row].tolist() if one] for side in ("hyp", "ref"))
        figures = TokenRouge().of_tokens([found], [right])
        for ours, theirs in (("", "l"), ("_1", "1"), ("_2", "2")):
            _near(figures[f"token_rouge{ours}"], case[f"out/rouge_{theirs}_each"][place])
