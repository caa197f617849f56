import pytest

from kt2t.data.algorithmic.half_copy_half_repeat_even import HalfCopyHalfRepeatEven


def test_the_coin_is_fair_and_each_target_is_one_of_the_two():
    problem = HalfCopyHalfRepeatEven(train_examples=3000)
    kinds = []
    for example in problem.examples("train"):
        kind = problem.accepts(example["inputs"], example["targets"])
        assert kind in ("copy", "repeat_even", "both")
        kinds.append(kind)
    clear = [kind for kind in kinds if kind != "both"]
    assert len(clear) > 2500
    assert clear.count("copy") / len(clear) == pytest.approx(0.5, abs=0.04)


def test_the_same_input_comes_with_either_answer():
    problem = HalfCopyHalfRepeatEven(symbols=2, max_length=5, train_examples=1000)
    answers = {}
    for example in problem.examples("train"):
        answers.setdefault(tuple(example["inputs"].tolist()), set()).add(tuple(example["targets"].tolist()))
    assert max(map(len, answers.values())) == 2


@pytest.mark.parametrize(
    ("prediction", "kind"),
    [("3 1 4", "copy"), ("3 3 4 4", "repeat_even"), ("3 3 4", None), ("", None), ("x", None), ([3, 1, 4], "copy")],
)
def test_predictions_are_told_apart(prediction, kind):
    assert HalfCopyHalfRepeatEven().accepts("3 1 4", prediction) == kind


def test_an_answer_may_be_both():
    assert HalfCopyHalfRepeatEven().accepts("2 2", "2 2") == "both"


def test_either_answer_is_right_for_the_score():
    references = [{"inputs": "3 1 4", "targets": "3 1 4"}] * 4
    found = HalfCopyHalfRepeatEven().score(["3 1 4", "3 3 4 4", "3 1 4", "3 3 1 1"], references)
    assert found == {"exact_match": 0.5, "accepted": 0.75, "copies": 0.5, "repeats": 0.25}
    assert HalfCopyHalfRepeatEven().score(["3 1 4"], ["3 1 4"]) == {"exact_match": 1.0}
