import itertools

import pytest

from kt2t.data.blocks import BLOCK
from kt2t.data.language.numbers_in_words import RESPELLINGS, NumbersInWords, all_words, normalized, respelled, words
from kt2t.data.vocabularies.bytes import Bytes
from kt2t.errors import DataError
from kt2t.registry import build, describe

SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
SMALL += " seventeen eighteen nineteen"
VALUES = {word: value for value, word in enumerate(SMALL.split())}
VALUES |= {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}


def value(text):
    """What number words mean, read from left to right."""
    thousands = total = 0
    for word in text.replace("-", " ").split():
        if word == "thousand":
            thousands, total = total, 0
        elif word == "hundred":
            total *= 100
        elif word != "and":
            total += VALUES[word]
    return 1000 * thousands + total


@pytest.mark.parametrize(
    ("number", "british", "american"),
    [
        (0, "zero", "zero"),
        (10, "ten", "ten"),
        (21, "twenty-one", "twenty-one"),
        (100, "one hundred", "one hundred"),
        (407, "four hundred and seven", "four hundred seven"),
        (1000, "one thousand", "one thousand"),
        (2005, "two thousand and five", "two thousand five"),
        (30_100, "thirty thousand one hundred", "thirty thousand one hundred"),
        (
            999_999,
            "nine hundred and ninety-nine thousand nine hundred and ninety-nine",
            "nine hundred ninety-nine thousand nine hundred ninety-nine",
        ),
    ],
)
def test_numbers_are_told_as_people_tell_them(number, british, american):
    assert words(number) == british
    assert words(number, british=False) == american


def test_every_number_reads_back_and_is_told_in_known_words():
    known = set(all_words())
    told = set()
    for number in itertools.chain(range(12_000), range(12_000, 1_000_000, 487)):
        for british in (True, False):
            text = words(number, british)
            assert value(text) == number
            assert set(text.split(" ")) <= known
            told.add(text)
    assert len(told) > 22_000


def test_no_number_is_in_both_splits_and_all_small_ones_are_for_training():
    problem = NumbersInWords(train_examples=40_000, validation_examples=3000)
    train, validation = ([int(one["targets"]) for one in problem.examples(split)] for split in ("train", "validation"))
    assert (len(train), len(validation)) == (40_000, 3000)
    assert not set(train) & set(validation)
    assert set(range(100)) <= set(train) and min(validation) >= 100
    for numbers in (train, validation):
        assert max(numbers) <= 999_999
    for numbers, digits in ((train, range(1, 7)), (validation, range(3, 7))):
        shares = [sum(len(str(number)) == count for number in numbers) / len(numbers) for count in digits]
        assert all(0.4 / len(digits) < share < 2 / len(digits) for share in shares), shares
    assert sum(number % 1000 == 0 and number >= 1000 for number in train) / len(train) > 0.03


def test_examples_are_right_and_both_forms_occur():
    examples = list(NumbersInWords().examples("train", 0, 2000))
    assert all(value(normalized(one["inputs"])) == int(one["targets"]) for one in examples)
    with_and = sum(" and " in one["inputs"].lower() for one in examples)
    assert 400 < with_and < 900
    assert not any(" and " in one["inputs"] for one in NumbersInWords(british=0, spellings=0).examples("train", 0, 500))
    assert all(
        one["inputs"] == words(int(one["targets"])) for one in NumbersInWords(british=1, spellings=0).examples("train", 0, 500)
    )


def test_an_example_depends_on_its_number_alone():
    all_at_once = list(NumbersInWords(train_examples=2 * BLOCK).examples("train"))
    assert list(NumbersInWords().examples("train", BLOCK - 3, BLOCK + 4)) == all_at_once[BLOCK - 3 : BLOCK + 4]
    assert list(NumbersInWords(seed=1).examples("train", 0, 9)) != all_at_once[:9]


def test_a_word_and_a_digit_are_one_id_each_without_training():
    problem = NumbersInWords()
    features = problem.features()
    assert features["inputs"].vocabulary_size == 258 + 103
    assert features["targets"].vocabulary_size == 258 + 10
    encoded = problem.encode({"inputs": "four hundred and seven", "targets": "407"})
    assert len(encoded["inputs"]) == 4 + 1 and len(encoded["targets"]) == 3 + 1
    assert problem.decode("inputs", encoded["inputs"]) == "four hundred and seven"
    assert problem.decode("targets", encoded["targets"]) == "407"


def test_options_make_a_node_and_wrong_ones_are_refused():
    node = {
        "type": "NumbersInWords",
        "largest": 5000,
        "source_vocabulary": {"type": "Bytes"},
        "target_vocabulary": {"type": "Bytes"},
    }
    problem = build(node, "problem")
    assert describe(problem) == node
    assert isinstance(problem.vocabularies()["inputs"], Bytes)
    assert max(int(one["targets"]) for one in problem.examples("train", 0, 2000)) <= 5000
    for option, wrong in {
        "largest": 1_000_000,
        "british": 1.5,
        "train_examples": 0,
        "validation_examples": 0,
        "seed": -1,
    }.items():
        with pytest.raises(ValueError, match=f"{option}: {wrong}"):
            NumbersInWords(**{option: wrong})
    with pytest.raises(DataError, match="no split 'test'"):
        next(problem.examples("test"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Seven Thousand", "seven thousand"),
        ("forty two", "forty-two"),
        ("FORTY-TWO", "forty-two"),
        ("a hundred", "one hundred"),
        ("hundred and five", "one hundred and five"),
        ("A thousand, a hundred and twenty one.", "one thousand one hundred and twenty-one"),
        ("fourty", "forty"),
        ("twenty thousand and ten", "twenty thousand and ten"),
        ("twenty", "twenty"),
        ("", ""),
        ("a frog", "one frog"),
    ],
)
def test_numbers_may_be_written_as_people_write_them(written, read):
    assert normalized(written) == read
    problem = NumbersInWords()
    ids = problem.encode({"inputs": written, "targets": "1"})["inputs"]
    assert problem.decode("inputs", ids) == read


def test_every_spelling_of_every_kind_of_number_is_read_as_the_same():
    for number in [*range(0, 2000, 7), *range(2000, 1_000_000, 9973)]:
        for british in (False, True):
            told = words(number, british)
            assert normalized(told) == told
            assert all(normalized(respelled(told, which)) == told for which in range(len(RESPELLINGS)))


def test_half_of_the_examples_are_written_otherwise():
    examples = [one["inputs"] for one in NumbersInWords().examples("validation", 0, 1000)]
    assert 200 < sum(normalized(one) != one for one in examples) < 600
