import pytest

from kt2t.data.algorithmic.multiplication import Multiplication


def little_endian(symbols, base):
    return int("".join(map(str, reversed(symbols))), base)


@pytest.mark.parametrize("base", [2, 10])
@pytest.mark.parametrize("split", ["train", "long"])
def test_the_target_is_the_product(base, split):
    for example in Multiplication(base=base).examples(split, 0, 100):
        inputs, targets = example["inputs"].tolist(), example["targets"].tolist()
        middle = inputs.index(base)
        first, second = inputs[:middle], inputs[middle + 1 :]
        assert little_endian(targets, base) == little_endian(first, base) * little_endian(second, base)
        assert len(targets) == 1 or targets[-1] > 0


def test_the_separator_has_an_id():
    assert Multiplication(base=2).vocabulary.size == 5
    assert Multiplication(base=10).vocabulary.size == 13
