import math
import re

import pytest

from kt2t.registry import build, describe
from kt2t.scores.bleu import Bleu

WMT17 = {"uedin-nmt": 28.301, "LMU-nmt-reranked": 27.107, "LIUM-NMT": 26.596, "C-3MA": 22.675}


def test_every_system_of_wmt22_scores_as_published(wmt22):
    reference, systems = wmt22
    assert len(systems) == 9
    for system, (predictions, published) in systems.items():
        assert Bleu().score(predictions, reference)["bleu"] == pytest.approx(published["bleu-A"], abs=5e-5), system


def test_systems_of_wmt17_score_as_noted(wmt17):
    reference, systems = wmt17
    for system, figure in WMT17.items():
        assert Bleu().score(systems[system], reference)["bleu"] == pytest.approx(figure, abs=5e-4), system


def test_a_case_worked_by_hand():
    # Six words each, so no brevity penalty; of the 1- to 4-grams 5 of 6, 3 of 5, 2 of 4 and 1 of 3 are shared.
    prediction, reference = "the cat sat on a mat", "the cat sat on the mat"
    shared = [5 / 6, 3 / 5, 2 / 4, 1 / 3]
    expected = 100 * math.exp(sum(map(math.log, shared)) / 4)
    assert Bleu().score([prediction], [reference])["bleu"] == pytest.approx(expected)


def test_case_and_tokeniser_are_options():
    assert Bleu().score(["A b c d"], ["a b c d"])["bleu"] < 100
    assert Bleu(lowercase=True).score(["A b c d"], ["a b c d"])["bleu"] == pytest.approx(100)
    assert "tok:char" in Bleu(tokenize="char").signature
    assert re.fullmatch(r"nrefs:1\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|version:[\d.]+", Bleu().signature)
    with pytest.raises(ValueError, match="tokenize: sacrebleu has no tokeniser '14a'.*13a"):
        Bleu(tokenize="14a")
    assert describe(build({"type": "Bleu", "lowercase": True})) == {"type": "Bleu", "lowercase": True}
