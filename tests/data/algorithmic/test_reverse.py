from kt2t.data.algorithmic.reverse import Reverse


def test_the_target_is_the_input_backwards():
    for example in Reverse().examples("long", 0, 50):
        assert example["targets"].tolist() == list(reversed(example["inputs"].tolist()))
