from kt2t.data.algorithmic.identity import Identity


def test_the_target_is_the_input():
    for example in Identity(symbols=2, max_length=40).examples("train", 0, 50):
        assert example["targets"].tolist() == example["inputs"].tolist()
    assert Identity(symbols=2).vocabulary.size == 4
