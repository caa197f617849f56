"""Names of classes: their order, their ids as labels and as tags, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.data.vocabularies.classes import Classes
from kt2t.data.vocabularies.vocabulary import Vocabulary
from kt2t.errors import DataError
from kt2t.registry import build, describe


def test_given_names_keep_their_order_and_trained_ones_are_sorted():
    given = Classes(["no", "yes"])
    given.train(["maybe"])
    assert given.names == ["no", "yes"] and given.size == 2
    trained = Classes()
    assert not trained.trained
    trained.train(["b", "a", "b", "Z"])
    assert trained.names == ["Z", "a", "b"]


def test_class_k_is_label_k_and_tag_k_plus_one():
    classes = Classes(["DET", "NOUN", "VERB"])
    assert [classes.number(name) for name in ("DET", "VERB")] == [0, 2]
    ids = classes.tag_ids(["NOUN", "DET"])
    assert ids.dtype == np.int32 and ids.tolist() == [2, 1]
    assert classes.tag_names([2, 1, 0, 0]) == ["NOUN", "DET"]
    assert classes.encode("VERB NOUN") == [3, 2] and classes.decode([1, 3]) == "DET VERB"  # 1 is no end here
    assert classes.has_all(["DET", "VERB"]) and not classes.has_all(["DET", "X"])


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(DataError, match="'NUON' is none of the classes of the training data. Did you mean 'NOUN'"):
        Classes(["NOUN", "VERB"]).number("NUON")
    with pytest.raises(DataError, match="not trained yet"):
        Classes().number("a")


def test_saving_keeps_names_and_fingerprint(tmp_path):
    classes = Classes()
    classes.train(["été", "a b"])
    classes.save(tmp_path)
    again = Vocabulary.load(tmp_path)
    assert again.names == ["a b", "été"] and again.fingerprint == classes.fingerprint
    assert Classes(["été", "a b"]).fingerprint != classes.fingerprint
    assert describe(build(describe(Classes(["x"])))) == describe(Classes(["x"]))


def test_names_that_cannot_be():
    for names, told in [([], "an empty list"), (["a", "a"], "'a' stands there twice"), ([" "], "' ' cannot name a class")]:
        with pytest.raises(ValueError, match=told):
            Classes(names)
    with pytest.raises(DataError, match="cannot name a class"):
        Classes().train(["a\nb"])
    with pytest.raises(DataError, match="Classes cannot be trained"):
        Classes().train([])
