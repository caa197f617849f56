import json
import time

import pytest

from kt2t.data.vocabularies.subword_search import LONGEST, learned, subwords_of

RESERVED = ("<pad>", "<EOS>")


def test_the_subwords_are_those_of_tensor2tensor_in_its_order(golden):
    numbers = golden("util_subword_vocab_build")
    counts = json.loads(str(numbers["in/token_counts_json"]))
    for name, wanted in json.loads(str(numbers["out/subtokens_json"])).items():
        found = learned(counts, int(name), RESERVED, 1, 100) if name.isdigit() else subwords_of(counts, 3, RESERVED)
        assert found == wanted, name


def test_a_case_by_hand():
    """`ab` four times and `b` once: `ab_` and `b_` are frequent; `a` and `ab` lose what `ab_` has taken off them."""
    found = subwords_of({"ab": 4, "b": 1}, 2, ())
    assert found[0] == "ab_"
    assert "ab" not in found and "b_" not in found
    assert {"a", "b", "_", "\\", "u", ";", *"0123456789"} == set(found[1:])


@pytest.mark.parametrize("size", [40, 60, 80])
def test_the_size_is_the_nearest_that_a_count_gives(size):
    counts = {word: 40 - number for number, word in enumerate("the cat sat on a mat and then ran back to town".split())}
    sizes = {len(subwords_of(counts, least, RESERVED)) for least in range(1, 60)}
    found = len(learned(counts, size, RESERVED))
    assert abs(found - size) <= max(size / 100, min(abs(other - size) for other in sizes))


def test_a_token_of_a_hundred_thousand_characters_takes_no_long_time():
    start = time.process_time()
    found = subwords_of({"x" * 100_000: 3, "word": 5}, 2, RESERVED)
    assert time.process_time() - start < 60
    assert max(map(len, found)) <= LONGEST
