import pytest

from kt2t.scores.bleu import Bleu
from kt2t.scores.chrf import ChrF
from kt2t.scores.exact_match import ExactMatch

SCORES = [Bleu(), ChrF(), ExactMatch()]


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
def test_numbers_that_differ_are_told(score):
    for predictions, references in ((["a"], ["a", "b"]), ([], [])):
        with pytest.raises(
            ValueError, match=f"{score.name} compares {len(predictions)} predictions with {len(references)}"
        ):
            score.score(predictions, references)
    with pytest.raises(ValueError, match="prediction 1 has no reference"):
        score.score(["a", "b"], ["a", []])


@pytest.mark.parametrize("score", SCORES, ids=lambda score: score.name)
def test_a_score_has_its_name_for_a_figure_and_can_be_called(score):
    text = "the cat sat on the mat"
    assert set(score.score([text], [text])) == {score.name}
    assert score([text], [text]) == score.score([text], [[text]])
