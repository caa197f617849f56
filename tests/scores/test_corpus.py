import pytest

from kt2t.scores.bleu import Bleu
from kt2t.scores.chrf import ChrF

LINES = ["the cat sat on the mat .", "a dog lay on the old log ."]
OTHERS = ["on the mat sat the cat .", "there lay a dog on the log ."]


@pytest.mark.parametrize("score", [Bleu(), ChrF()], ids=["bleu", "chrf"])
def test_of_several_references_the_nearest_counts(score):
    perfect = score.score(LINES, [[OTHERS[0], LINES[0]], LINES[1]])
    assert perfect[score.name] == pytest.approx(100)
    assert score.score(LINES, OTHERS)[score.name] < 90


@pytest.mark.parametrize("score", [Bleu, ChrF], ids=["bleu", "chrf"])
def test_the_signature_tells_how_many_references_there_were(score):
    score = score()
    assert "nrefs:1|" in score.signature
    score.score(LINES, [[one, other] for one, other in zip(LINES, OTHERS, strict=True)])
    assert "nrefs:2|" in score.signature
