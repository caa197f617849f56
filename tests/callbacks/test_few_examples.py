import pytest

from kt2t.callbacks.few_examples import warn_of_few


@pytest.mark.parametrize(("count", "told"), [(1, "only 1 example,"), (3, "only 3 examples,"), (9, "only 9 ex"), (10, "")])
def test_scores_over_few_examples_are_warned_of(caplog, count, told):
    assert warn_of_few(["bleu", "chrf"], count, "test") == bool(told)
    assert told in caplog.text and ("bleu, chrf on test" in caplog.text) == bool(told)


def test_the_limit_is_named_where_it_may_be_the_reason(caplog):
    warn_of_few(["bleu"], 3, "validation")
    assert "report.score_limit" in caplog.text
    assert not warn_of_few([], 3, "validation")
