from kt2t.data.algorithmic.repeat_even import RepeatEven


def test_symbols_at_even_positions_come_twice():
    for example in RepeatEven().examples("train", 0, 100):
        inputs = example["inputs"].tolist()
        expected = [symbol for place, symbol in enumerate(inputs) if place % 2 == 0 for _ in range(2)]
        assert example["targets"].tolist() == expected
