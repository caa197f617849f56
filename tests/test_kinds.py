"""What an unknown name is answered with: names like it, or all there are."""

import pytest

from kt2t.kinds import KINDS, OF_SLOT, what_there_is
from kt2t.registry import SLOTS


@pytest.mark.parametrize(
    ("name", "slot", "expected"),
    [
        ("Trasformer", "model", "Did you mean 'Transformer'"),
        ("TextClassifier", "model", "There are: ByteNet, ConvolutionalReader, "),
        ("TextClassification", "problem", "algorithmic: Addition, "),
        ("BPE", "vocabulary", "There are: Bytes, Characters, "),
        ("BPE", "source_vocabulary", "See `kt2t list vocabularies`."),
        ("Subword", "vocabulary", "Did you mean 'Subwords'"),
        ("Foo", "optimizer", "There are: Adam, ClippedAdamax, and Keras's own. See `kt2t list optimizers`."),
        ("Adamw", "optimizer", "Did you mean 'AdamW'"),
        ("Foo", "learning_rate", "There are: Constant, "),
        ("TopK", "decode", "There are: Beam, Greedy, Sample. See `kt2t list searches`."),
        ("Foo", "metric", ", TokenAccuracy, and Keras's own."),
    ],
)
def test_an_unknown_name(name, slot, expected):
    assert expected in what_there_is(name, slot)


def test_no_list_has_a_class_of_another_kind_or_one_to_inherit_from():
    told = what_there_is("Foo", "learning_rate") + what_there_is("BPE", "vocabulary") + what_there_is("XYZ", "problem")
    told += what_there_is("XYZ", "model")
    words = set(told.replace(",", " ").replace(";", " ").replace(".", " ").split())
    assert not {"Adam", "Problem", "TextToText", "RunningText", "Model"} & words


def test_every_slot_of_a_kind_looks_where_the_kind_is():
    for slot, what in OF_SLOT.items():
        if slot in SLOTS:
            rooms, keras_modules = SLOTS[slot]
            assert rooms == (KINDS[what].room,) and keras_modules == ((KINDS[what].of_keras,) if KINDS[what].of_keras else ())
