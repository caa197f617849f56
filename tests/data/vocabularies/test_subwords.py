import gzip
import pickle
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kt2t.data.vocabularies.subwords import STAND_INS, Subwords
from kt2t.errors import DataError

BREAKERS = ["", " ", "  a", "a  ", "\n", "\n\n \t", "\u2581", "\u2581 a", "\x00", "</s>", "<0x41>", " \u2047 "]
BREAKERS += ["\x0e\x0f\x1a", "e\u0301", "\U0001f469\U0001f3fd\u200d\U0001f680", "\ufeffa"]
ODD = "".join(STAND_INS) + "\r\u2028\u00a0\u0301\u0308e\u200d\U0001f469\U0001f3fd<0x>sunk/p \ufffd\ufeff\x1an\x1aq_"


def texts(count=400):
    chance = random.Random(1)
    words = [a + b for a in ("wal", "tal", "jump", "play") for b in ("k", "ked", "king", "er", "s")] + [
        "cat\n",
        "the",
        "\tdog",
    ]
    return [" ".join(chance.choices(words, k=8)) for _ in range(count)]


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def trained(request):
    subwords = Subwords(300, algorithm=request.param)
    subwords.train(texts())
    return subwords


@settings(max_examples=400, deadline=None)
@given(
    text=st.text(
        st.one_of(st.sampled_from(ODD), st.sampled_from("thecatdog \n"), st.characters(exclude_categories=["Cs"]))
    )
)
def test_any_text_comes_back(trained, text):
    ids = trained.encode(text)
    assert trained.decode([*ids, 1]) == text
    assert all(3 <= number < trained.size for number in ids)


@pytest.mark.parametrize("text", BREAKERS)
def test_texts_that_break_tokenisers_come_back(trained, text):
    assert trained.decode(trained.encode(text)) == text


def test_the_ids_are_laid_out_as_told(trained):
    pieces = trained.pieces()
    assert pieces[3] == "<0x00>" and pieces[258] == "<0xFF>"
    assert len(pieces) == trained.size == len(set(pieces)) == 300
    assert trained.encode("☃") == [pieces.index("\u2581"), *(3 + byte for byte in "☃".encode())]


def test_a_word_is_the_same_at_the_start_and_within(trained):
    once = trained.encode("walked")
    assert trained.encode("walked walked") == once * 2
    assert len(once) < len("walked")


def test_any_ids_can_be_decoded(trained):
    assert isinstance(trained.decode([2, 3 + 0xC3, trained.size - 1, 300 - 2]), str)


def test_training_twice_gives_the_same():
    prints = set()
    for _ in range(3):
        subwords = Subwords(300, max_training_lines=100)
        subwords.train(iter(texts()))
        prints.add(subwords.fingerprint)
    assert len(prints) == 1


def test_more_lines_than_asked_for_are_drawn_from_all_over(caplog):
    subwords = Subwords(300, max_training_lines=50)
    subwords.train(["a" * 3] * 500 + ["b" * 3] * 500)
    assert "not the requested 300" in caplog.text
    known = "".join(subwords.pieces()[259:])
    assert "a" in known and "b" in known


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_more_than_there_is_gives_what_there_is_and_says_so(algorithm, caplog):
    subwords = Subwords(30_000, algorithm=algorithm)
    subwords.train(["a small corpus of few words"] * 3)
    assert "not the requested 30000" in caplog.text
    assert 259 < subwords.size < 400
    assert subwords.decode(subwords.encode("a zoo")) == "a zoo"


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_symbols_are_one_piece_wherever_they_stand(algorithm, tmp_path):
    symbols = ["<2de>", "<2,fr>", "@@"]
    subwords = Subwords(300, algorithm=algorithm, symbols=symbols)
    subwords.train([f"{symbols[number % 3]} {text}" for number, text in enumerate(texts())])
    pieces = subwords.pieces()
    subwords.save(tmp_path)
    for one in (subwords, Subwords.load(tmp_path)):
        assert [pieces.index(symbol) for symbol in symbols] == [3, 4, 5] and pieces[6] == "<0x00>" and one.size == 300
        for symbol in symbols:
            own = pieces.index(symbol)
            for text in (symbol, f"{symbol} the cat", f"the{symbol}cat {symbol}", f"\n{symbol}\t", symbol * 2):
                ids = one.encode(text)
                assert ids.count(own) == text.count(symbol) and one.decode([*ids, 1]) == text
        assert one.encode("the cat") and 3 not in one.encode("<2 de>")
        assert one.decode(one.encode("a ☃ zoo <2")) == "a ☃ zoo <2"


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_too_little_and_nothing_are_told(algorithm):
    with pytest.raises(DataError, match="size 265 is too small.*need 27\\d"):
        Subwords(265, algorithm=algorithm).train(["abcdefghijklmn"])
    for nothing in ([], ["", ""]):
        with pytest.raises(DataError, match="training texts are empty"):
            Subwords(300, algorithm=algorithm).train(nothing)


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
@pytest.mark.parametrize("options", [{"character_coverage": 0.98}, {"size": 10_000_000}, {"max_training_lines": 1}])
def test_every_option_at_the_end_of_its_range_can_be_trained(options, algorithm):
    subwords = Subwords(**{"size": 300, "algorithm": algorithm, **options})
    subwords.train(texts())
    assert subwords.decode(subwords.encode("walked the cat")) == "walked the cat"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 259}, "size: 259"),
        ({"size": 260, "symbols": ["<2de>"]}, "size: 260 leaves no room for subwords beside 260 reserved ids"),
        ({"size": 300, "symbols": ["<2de>", "a b"]}, "symbols.1: 'a b' is empty or has a space"),
        ({"size": 300, "symbols": [""]}, "symbols.0: '' is empty"),
        ({"size": 300, "symbols": ["a\x1a"]}, "symbols.0: 'a.x1a' .* control character"),
        ({"size": 300, "symbols": ["<0x41>"]}, "symbols.0: '<0x41>' is the name of a reserved id"),
        ({"size": 300, "symbols": ["x", "</s>"]}, "symbols.1: '</s>' is the name of a reserved id"),
        ({"size": 300, "symbols": ["x", "x"]}, "symbols.1: 'x' is given twice"),
        ({"size": 300, "algorithm": "word"}, "algorithm: 'word'"),
        ({"size": 3_000_000_000}, "size: 3000000000 is more than sentencepiece can train"),
        ({"size": 300, "character_coverage": 0.5}, "character_coverage: 0.5"),
        ({"size": 300, "character_coverage": 0.9799}, "character_coverage: 0.9799 is not between 0.98 and 1"),
        ({"size": 300, "max_training_lines": 0}, "max_training_lines: 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Subwords(**options)


def test_it_can_be_sent_to_another_process(trained):
    again = pickle.loads(pickle.dumps(trained))
    assert again.encode("walked the cat\n") == trained.encode("walked the cat\n")
    assert again.fingerprint == trained.fingerprint


def test_real_text_comes_back_in_few_pieces(test_data, caplog):
    lines = gzip.open(test_data / "multi30k_en_de" / "train.de.gz", "rt", encoding="utf-8").read().split("\n")[:6000]
    subwords = Subwords(2000)
    subwords.train(lines)
    assert subwords.size == 2000 and not caplog.messages
    ids = subwords.encode_all(lines)
    assert [subwords.decode(one) for one in ids] == lines
    words = sum(len(line.split()) for line in lines)
    assert sum(map(len, ids)) < 1.8 * words
