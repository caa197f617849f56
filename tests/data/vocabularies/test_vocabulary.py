import hashlib
import json

import numpy as np
import pytest

from kt2t.data.vocabularies.bytes import Bytes
from kt2t.data.vocabularies.characters import Characters
from kt2t.data.vocabularies.classes import Classes
from kt2t.data.vocabularies.subwords import Subwords
from kt2t.data.vocabularies.symbols import Symbols
from kt2t.data.vocabularies.vocabulary import Vocabulary
from kt2t.data.vocabularies.words import Words
from kt2t.errors import DataError
from kt2t.features import END
from kt2t.registry import build, describe

TEXTS = ["the cat sat on the mat", "a dog sat on the log", "the frog and the hog"]
TRAINED = [Bytes(), Symbols(5), Characters(), Words(), Subwords(280)]
IDS = [type(vocabulary).__name__ for vocabulary in TRAINED]


@pytest.fixture(scope="module", autouse=True)
def _train():
    for vocabulary in TRAINED:
        vocabulary.train(TEXTS)


@pytest.mark.parametrize("vocabulary", TRAINED, ids=IDS)
def test_a_saved_vocabulary_is_the_same_when_loaded(vocabulary, tmp_path):
    text = "3 1 4" if isinstance(vocabulary, Symbols) else "the cat\nand ☃"
    vocabulary.save(tmp_path / "here")
    loaded = Vocabulary.load(tmp_path / "here")
    assert type(loaded) is type(vocabulary)
    assert loaded.size == vocabulary.size
    assert loaded.fingerprint == vocabulary.fingerprint
    assert loaded.encode(text) == vocabulary.encode(text)
    assert loaded.decode([*loaded.encode(text), 1, 2, 3, 0]) == text
    assert describe(loaded, full=True) == describe(vocabulary, full=True)


@pytest.mark.parametrize("vocabulary", TRAINED, ids=IDS)
def test_options_travel_by_node_and_contents_by_file(vocabulary):
    again = build(describe(vocabulary), "vocabulary")
    assert describe(again) == describe(vocabulary)
    if vocabulary.contents():
        assert not again.trained
        with pytest.raises(DataError, match="not trained yet.*prepare"):
            again.encode("the")
        with pytest.raises(DataError, match="not trained yet"):
            _ = again.size
        again.restore(vocabulary.contents())
    assert again.fingerprint == vocabulary.fingerprint


@pytest.mark.parametrize("vocabulary", TRAINED, ids=IDS)
def test_many_at_once_are_the_same_as_one_by_one(vocabulary):
    texts = ["1 2", "", "4"] if isinstance(vocabulary, Symbols) else ["the cat", "", " ☃ x\n"]
    together = vocabulary.encode_all(texts, threads=2)
    assert [ids.tolist() for ids in together] == [vocabulary.encode(text) for text in texts]
    with_ends = vocabulary.encode_ended(texts, threads=2)
    assert [ids.tolist() for ids in with_ends] == [[*vocabulary.encode(text), END] for text in texts]
    assert all(ids.dtype == np.int32 for ids in (*together, *with_ends))


@pytest.mark.parametrize("vocabulary", TRAINED, ids=IDS)
def test_ids_are_within_the_size_and_neither_padding_nor_end(vocabulary):
    ids = vocabulary.encode("0 1 2 3 4" if isinstance(vocabulary, Symbols) else "the ☃\n\x00 zoo")
    assert 2 <= min(ids) and max(ids) < vocabulary.size


def test_padding_is_skipped_and_the_end_ends():
    letters = Characters("abc")
    a, b = letters.encode("ab")
    assert letters.decode(np.array([0, a, 0, b, 1, a])) == "ab"


def test_a_fingerprint_tells_vocabularies_apart():
    prints = {
        v.fingerprint
        for v in [Bytes(), Symbols(5), Symbols(6), Characters("ab"), Characters("abc"), Words(words=["ab"])]
    }
    assert len(prints) == 6


@pytest.mark.parametrize("vocabulary", [Characters("abc"), TRAINED[-1]], ids=["Characters", "Subwords"])
def test_a_damaged_file_is_refused_with_both_hashes(vocabulary, tmp_path):
    vocabulary.save(tmp_path)
    (name,) = vocabulary.contents()
    good = (tmp_path / name).read_bytes()
    bad = good[:-1] + bytes([good[-1] ^ 1])
    (tmp_path / name).write_bytes(bad)
    with pytest.raises(DataError) as error:
        Vocabulary.load(tmp_path)
    assert hashlib.sha256(good).hexdigest() in str(error.value)
    assert hashlib.sha256(bad).hexdigest() in str(error.value)


def test_other_contents_than_noted_are_refused(tmp_path):
    Characters("abc").save(tmp_path)
    note = json.loads((tmp_path / "vocabulary.json").read_text())
    other = Characters("abd")
    (tmp_path / "characters.txt").write_bytes(other.contents()["characters.txt"])
    note["files"]["characters.txt"] = hashlib.sha256(other.contents()["characters.txt"]).hexdigest()
    (tmp_path / "vocabulary.json").write_text(json.dumps(note))
    with pytest.raises(DataError, match=f"{other.fingerprint}.*{note['fingerprint']}"):
        Vocabulary.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "content", "told"),
    [
        ({}, b"\xff", "are no vocabulary"),
        ({}, b"", "are no vocabulary: .*not trained yet"),
        ({"files": {}}, b"abc", "are no vocabulary"),
        ({"files": ["characters.txt"]}, b"abc", "cannot be read as a vocabulary"),
        ({"files": {"\0": "x"}}, b"abc", "names a file elsewhere"),
        ({"vocabulary": {"type": "Nothing"}}, b"abc", "are no vocabulary: .*Nothing"),
        ({"vocabulary": {"type": "Words", "size": -1}}, b"abc", "are no vocabulary: .*size: -1"),
        ({"vocabulary": {"type": "Adam"}}, b"abc", "are no vocabulary"),
        ({"vocabulary": 7}, b"abc", "are no vocabulary"),
    ],
)
def test_a_note_that_fits_and_yet_means_nothing_is_refused(change, content, told, tmp_path):
    """As somebody writes it who knows where the hashes stand."""
    Characters("abc").save(tmp_path)
    (tmp_path / "characters.txt").write_bytes(content)
    note = json.loads((tmp_path / "vocabulary.json").read_text())
    note["files"]["characters.txt"] = hashlib.sha256(content).hexdigest()
    (tmp_path / "vocabulary.json").write_text(json.dumps({**note, **change}))
    with pytest.raises(DataError, match=told) as raised:
        Vocabulary.load(tmp_path)
    assert raised.value.status == 3 and "vocabulary.json" in str(raised.value)


@pytest.mark.parametrize(("kept", "told"), [(-7, "is no model of sentencepiece"), (0, "is empty")])
def test_a_model_that_sentencepiece_cannot_read_is_refused(kept, told, tmp_path):
    TRAINED[-1].save(tmp_path)
    content = TRAINED[-1].contents()["subwords.model"][:kept]
    (tmp_path / "subwords.model").write_bytes(content)
    note = json.loads((tmp_path / "vocabulary.json").read_text())
    note["files"]["subwords.model"] = hashlib.sha256(content).hexdigest()
    (tmp_path / "vocabulary.json").write_text(json.dumps(note))
    with pytest.raises(DataError, match=f"subwords.model {told}"):
        Vocabulary.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "[" * 9999, '{"format": 1, "vocabulary": 3}'])
def test_a_damaged_note_is_refused(text, tmp_path):
    (tmp_path / "vocabulary.json").write_text(text)
    with pytest.raises(DataError, match="cannot be read as a vocabulary"):
        Vocabulary.load(tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="vocabulary.json' does not exist"):
        Vocabulary.load(tmp_path)
    Characters("abc").save(tmp_path)
    (tmp_path / "characters.txt").unlink()
    with pytest.raises(DataError, match="characters.txt', which vocabulary.json names, cannot be read"):
        Vocabulary.load(tmp_path)


def test_a_note_with_a_name_that_no_disk_holds_is_refused_in_one_short_line(tmp_path):
    Bytes().save(tmp_path)
    note = json.loads((tmp_path / "vocabulary.json").read_text())
    (tmp_path / "vocabulary.json").write_text(json.dumps({**note, "files": {"w" + "y" * 1_000_000: "0" * 64}}))
    with pytest.raises(DataError, match="names a file elsewhere: 'wyyy") as raised:
        Vocabulary.load(tmp_path)
    assert len(str(raised.value)) < 1000


def test_another_format_is_refused(tmp_path):
    Bytes().save(tmp_path)
    note = json.loads((tmp_path / "vocabulary.json").read_text())
    (tmp_path / "vocabulary.json").write_text(json.dumps({**note, "format": 2}))
    with pytest.raises(DataError, match="has format 2"):
        Vocabulary.load(tmp_path)


def test_a_batch_of_ids_gives_a_list_of_texts():
    ids = [Bytes().encode(text) for text in ("ab", "cde")]
    rows = np.array([[*ids[0], 1, 0], [*ids[1], 1]])
    assert Bytes().decode(rows) == ["ab", "cde"] and Bytes().decode(rows[0]) == "ab"
    assert Bytes().decode(rows[:, None]) == [["ab"], ["cde"]], "(batch, n_best, time)"
    assert Bytes().decode(ids) == ["ab", "cde"] and Bytes().decode(iter(ids[0])) == "ab"
    assert Bytes().decode([]) == "" and Bytes().decode(np.zeros((0, 4), "int32")) == []
    names = Classes(["N", "V"])
    assert names.decode(np.array([[1, 2], [2, 0]])) == ["N V", "V"] and names.decode([1, 2]) == "N V"
