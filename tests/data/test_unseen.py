import numpy as np
import pytest

from kt2t.data import Problem, TextToText
from kt2t.data.unseen import batch_of, encode_unseen, main_field
from kt2t.data.vocabularies import Bytes
from kt2t.errors import DataError, RunError
from kt2t.features import END, Label, Text


class Texts(TextToText):
    def fields(self):
        return ("targets",)


def ids(text):
    return Bytes().encode(text)


def test_a_text_is_encoded_for_the_field_that_is_read():
    problem = TextToText()
    assert main_field(problem) == "inputs"
    (found,) = encode_unseen(problem, ["ab"])
    assert found.keys() == {"inputs"} and found["inputs"].tolist() == [*ids("ab"), END]
    assert encode_unseen(problem, [{"inputs": "ab", "targets": "not looked at"}])[0].keys() == {"inputs"}


def test_a_text_to_be_continued_has_no_end():
    assert main_field(Texts()) == "targets"
    assert encode_unseen(Texts(), ["ab", ""])[0]["targets"].tolist() == ids("ab")


def test_a_batch_has_segments():
    batch = TextToText().batch_of(["ab", "c"])
    assert batch["inputs"].tolist() == [[*ids("ab"), END], [*ids("c"), END, 0]]
    assert batch["inputs_segments"].tolist() == [[1, 1, 1], [1, 1, 0]]
    with pytest.raises(DataError, match="'ab': a list of examples is wanted"):
        batch_of(TextToText(), "ab")
    with pytest.raises(DataError, match="at least one"):
        batch_of(TextToText(), [])


def test_what_is_missing_is_named():
    class Two(Problem):
        def encode(self, example):
            return {"inputs": np.array(ids(example["inputs"]))}

        def features(self):
            return {"inputs": Text(258), "language": Label(2), "targets": Label(2)}

    with pytest.raises(
        DataError, match="the model reads 'language', which this example does not have. It has: 'inputs'"
    ):
        encode_unseen(Two(), ["ab"])
    with pytest.raises(RunError, match="Two.encode needs the field 'inputs'"):
        encode_unseen(Two(), [{"language": 1}])
