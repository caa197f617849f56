from kt2t.data.algorithmic.sort import Sort


def test_the_target_is_the_input_in_order():
    repeated = 0
    for example in Sort().examples("train", 0, 200):
        inputs = example["inputs"].tolist()
        assert example["targets"].tolist() == sorted(inputs)
        assert max(inputs) < 20 and len(inputs) <= 10
        repeated += len(set(inputs)) < len(inputs)
    assert repeated
