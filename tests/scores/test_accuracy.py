from kt2t.scores import Accuracy


def test_the_share_of_right_classes():
    assert Accuracy().score(["cat", "dog", "cow"], ["cat", "cat", ["horse", "cow"]]) == {"accuracy": 2 / 3}
    assert Accuracy().score([1, 2], [1, 3]) == {"accuracy": 0.5}
    assert Accuracy().signature == "accuracy"
