import gzip
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kt2t.data.vocabularies.subwords import STAND_INS, Subwords
from kt2t.errors import DataError, ResourceError

pytest.importorskip("tensorflow_text", reason="tensorflow-text is not made for this system")

ODD = "".join(STAND_INS) + "\r\u2028\u00a0\u0301\u0308e\u200d\U0001f469\U0001f3fd<0x>sunk/p \ufffd\ufeff\x1an\x1aq_"
BREAKERS = ["", " ", "  a", "a  ", "\n", "\n\n \t", "\u2581", "\u2581 a", "\x00", "a\x00b", "</s>", "<unk>", "<0x41>"]
BREAKERS += [
    " \u2047 ",
    "\x0e\x0f\x1a",
    "\x1an",
    "\x1a\x1an",
    "e\u0301",
    "\u00e9",
    "\ufeffa",
    "\ufb01\uff21\u00bd\u3000",
]
BREAKERS += ["\U0001f469\U0001f3fd\u200d\U0001f680", "\\1 \\0 \\", "walked " * 3000, "x" * 20_000]


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def both(request):
    words = ["walk", "walked", "walking", "talk", "talker", "jump\n", "the", "\tdog", "caf\u00e9", "\u2047"]
    subwords = Subwords(285, algorithm=request.param)
    subwords.train([" ".join(words[i % 7 :] + words[: i % 5]) for i in range(60)])
    return subwords, subwords.in_graph()


def assert_the_same(both, texts):
    subwords, graph = both
    ids = graph.encode(tf.constant(texts))
    assert ids.to_list() == [subwords.encode(text) for text in texts]
    assert [one.decode() for one in graph.decode(ids).numpy()] == texts


def test_texts_that_break_tokenisers_are_the_same(both):
    assert_the_same(both, BREAKERS)


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(
        st.text(
            st.one_of(st.sampled_from(ODD), st.sampled_from("thewalk \n"), st.characters(exclude_categories=["Cs"]))
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_texts_are_the_same(both, texts):
    assert_the_same(both, texts)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_ids_are_the_same_text(both, data):
    subwords, graph = both
    ids = data.draw(st.lists(st.integers(0, subwords.size - 1), min_size=1, max_size=20))
    assert graph.decode([ids]).numpy()[0].decode() == subwords.decode(ids)


def test_the_end_follows_where_asked_for_and_ends_a_text(both):
    subwords, graph = both
    ids = graph.encode(["walked the", "", "dog"], end=True)
    assert ids.dtype == tf.int32
    assert ids.to_list() == [[*subwords.encode(text), 1] for text in ("walked the", "", "dog")]
    dense = np.pad(ids.to_tensor(0).numpy(), [(0, 0), (1, 2)], constant_values=((0, 0), (0, subwords.size - 1)))
    assert [one.decode() for one in graph.decode(dense).numpy()] == ["walked the", "", "dog"]


def test_what_is_not_utf8_reads_as_replaced(both):
    subwords, graph = both
    assert graph.encode([b"walk\xff"]).to_list() == [subwords.encode("walk\ufffd")]


def test_it_is_saved_with_a_graph_that_takes_and_gives_strings(both, tmp_path):
    subwords, graph = both
    module = tf.Module()
    module.subwords = graph
    text = tf.TensorSpec((None,), tf.string)
    module.again = tf.function(lambda texts: graph.decode(graph.encode(texts, end=True)), input_signature=[text])
    module.encode = tf.function(lambda texts: graph.encode(texts).to_tensor(), input_signature=[text])
    tf.saved_model.save(module, tmp_path / "served")
    served = tf.saved_model.load(tmp_path / "served")
    assert [one.decode() for one in served.again(tf.constant(BREAKERS)).numpy()] == BREAKERS
    assert served.encode(tf.constant(["walked the\n"])).numpy().tolist() == [subwords.encode("walked the\n")]


def test_without_tensorflow_text_it_is_told(both, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    monkeypatch.delitem(sys.modules, "kt2t.data.vocabularies.in_graph")
    with pytest.raises(ResourceError, match="tensorflow_text is not installed. Install tensorflow-text"):
        both[0].in_graph()


def test_it_must_be_trained():
    with pytest.raises(DataError, match="not trained yet"):
        Subwords(300).in_graph()


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_ten_thousand_real_lines_are_the_same(test_data, algorithm):
    lines = []
    for language in ("de", "en"):
        text = gzip.open(test_data / "multi30k_en_de" / f"train.{language}.gz", "rt", encoding="utf-8").read()
        lines += text.split("\n")[:5000]
    subwords = Subwords(2000, algorithm=algorithm)
    subwords.train(lines[::5])
    graph = subwords.in_graph()
    encode, decode = tf.function(graph.encode), tf.function(graph.decode)
    ids = encode(tf.constant(lines))
    assert ids.nrows() == 10_000
    assert ids.to_list() == [one.tolist() for one in subwords.encode_all(lines)]
    assert [one.decode() for one in decode(ids).numpy()] == lines
