import gzip
import json
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kt2t.data.vocabularies import subword_text_encoder
from kt2t.data.vocabularies.subword_text_encoder import SubwordTextEncoder
from kt2t.errors import DataError

FILES = {"8k": "vocab.translate_ende_wmt8k.8192.subwords", "32k": "vocab.translate_ende_wmt32k.32768.subwords"}
TEXTS = ["the cat sat on the mat", "a dog sat on the log", "the frog_and the hog"]


@pytest.fixture(scope="module")
def trained():
    vocabulary = SubwordTextEncoder(size=60)
    vocabulary.train(TEXTS)
    return vocabulary


@pytest.mark.parametrize("name", FILES)
def test_ids_and_texts_are_those_of_tensor2tensor(golden, tensor2tensor, name):
    numbers = golden("util_subword_text_encoder")
    sentences = json.loads(str(numbers["in/sentences_json"]))
    vocabulary = SubwordTextEncoder(str(tensor2tensor / "vocab" / FILES[name]))
    wanted = np.split(numbers[f"out/ids_flat_{name}"], np.cumsum(numbers[f"out/lengths_{name}"])[:-1])
    found = vocabulary.encode_all(sentences)
    assert len(sentences) == len(found) == 300 and vocabulary.size == numbers[f"out/vocab_size_{name}"]
    for sentence, ids, expected in zip(sentences, found, wanted, strict=True):
        np.testing.assert_array_equal(ids, expected)
        assert vocabulary.encode(sentence) == list(expected)
    decoded = json.loads(str(numbers[f"out/decoded_json_{name}"]))
    assert [vocabulary.decode_ids(list(ids)) for ids in wanted] == decoded == sentences


def test_a_word_is_cut_when_first_met_and_then_costs_no_call_of_python(test_data, tensor2tensor, monkeypatch):
    """What it costs, counted: a clock on a shared processor says another thing each time. `benchmarks/reader.py` has MB/s."""
    with gzip.open(test_data / "multi30k_en_de" / "train.de.gz", "rt", encoding="utf-8") as file:
        lines = file.read().splitlines()
    cut = Counter()
    whole = subword_text_encoder.longest_parts
    monkeypatch.setattr(
        subword_text_encoder, "longest_parts", lambda word, *rest: cut.update([word]) or whole(word, *rest)
    )
    vocabulary = SubwordTextEncoder(str(tensor2tensor / "vocab" / FILES["32k"]))
    first = vocabulary.encode_all(lines)
    found, most = cut.total(), max(cut.values())
    assert vocabulary.size == 33708 and len(cut) > 18000 and most == 2  # after a space, and where there is none
    calls = Counter()
    sys.setprofile(lambda frame, event, _: calls.update([event]))
    again = vocabulary.encode_all(lines)
    sys.setprofile(None)
    assert calls["call"] < 5 * len(lines)
    assert cut.total() == found and all(map(np.array_equal, first, again))
    assert [vocabulary.decode_ids(ids.tolist()) for ids in again[:500]] == lines[:500]


@given(st.text(alphabet=st.one_of(st.sampled_from("the cat_\\;7\n"), st.characters(exclude_categories=["Cs"]))))
def test_any_text_comes_back(trained, text):
    assert trained.decode([*trained.encode(text), 1, 5]) == text


def test_what_was_learned_is_a_file_that_gives_the_same_ids(trained, tmp_path):
    (tmp_path / "v.subwords").write_bytes(trained.contents()["vocabulary.subwords"])
    again = SubwordTextEncoder(str(tmp_path / "v.subwords"))
    assert again.trained and again.size == trained.size and again.fingerprint == trained.fingerprint
    assert again.encode("the frog sat") == trained.encode("the frog sat")
    assert again.subwords()[:2] == ["<pad>_", "<EOS>_"]
    again.train(["something else"])
    assert again.fingerprint == trained.fingerprint


def test_without_a_file_it_is_trained_first():
    with pytest.raises(DataError, match="SubwordTextEncoder is not trained yet"):
        SubwordTextEncoder().encode("a")
    with pytest.raises(ValueError, match="size: 0"):
        SubwordTextEncoder(size=0)


def test_memory_is_bounded(trained, monkeypatch):
    monkeypatch.setattr(subword_text_encoder, "REMEMBERED", 10)
    texts = [f"the {number} cats" for number in range(100)]
    assert [trained.decode_ids(ids.tolist()) for ids in trained.encode_all(texts)] == texts
    assert len(trained._ids_of) <= 10


def test_double_quotes_and_none_are_read_too(trained, tmp_path):
    lines = trained.contents()["vocabulary.subwords"].decode().splitlines()
    lines[5], lines[6] = f'"{lines[5][1:-1]}"', lines[6][1:-1]
    (tmp_path / "v").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert SubwordTextEncoder(str(tmp_path / "v")).subwords() == trained.subwords()


CUT = {
    "in a line": (lambda data: data[: len(data) // 2 - 1], "cut"),
    "between lines": (lambda data: data[: data.rindex(b"\n", 0, len(data) - 20) + 1], "no subword for the single character"),
    "in a character": (lambda data: data[:40] + "é".encode()[:1], "is cut|not UTF-8"),
    "to nothing": (lambda data: b"", "cut"),
    "no vocabulary": (lambda data: b"problem: {type: ParallelText}\n", "no subword for"),
    "a line twice": (lambda data: data + data.splitlines(True)[-1], "is on line"),
    "an empty line": (lambda data: data + b"\n", "a subword is empty"),
}


@pytest.mark.parametrize("case", CUT)
def test_a_cut_file_is_refused_by_name(trained, tmp_path, case):
    damage, message = CUT[case]
    path = tmp_path / "v.subwords"
    path.write_bytes(damage(trained.contents()["vocabulary.subwords"]))
    with pytest.raises(DataError, match=message) as told:
        _ = SubwordTextEncoder(str(path)).size
    assert str(path) in str(told.value)


def test_a_missing_file_is_named_when_it_is_needed():
    vocabulary = SubwordTextEncoder("nowhere.subwords")
    with pytest.raises(DataError, match=r"'nowhere.subwords' cannot be read as a vocabulary"):
        vocabulary.encode("a")
