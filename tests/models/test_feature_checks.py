"""What a script gives to a model by mistake is answered with what to give."""

import keras
import numpy as np
import pytest

from kt2t.features import Label, Text
from kt2t.losses import CrossEntropy
from kt2t.models import Transformer, TransformerEncoder, TransformerLM
from kt2t.models.feature_checks import checked_features

SIZES = {"num_layers": 1, "hidden_dim": 8, "intermediate_dim": 8, "num_heads": 2}
IDS = np.random.default_rng(0).integers(2, 9, (4, 5)).astype("int32")


@pytest.fixture
def model():
    """A fresh one for each test: on JAX, Keras loses the weights when the first step of a `fit` fails."""
    made = Transformer({"inputs": Text(9), "targets": Text(9)}, **SIZES)
    made.compile(optimizer="sgd", loss=CrossEntropy())
    return made


CALLS = {
    "call": lambda model, x: model(x),
    "fit": lambda model, x: model.fit(x, IDS, verbose=0),
    "evaluate": lambda model, x: model.evaluate(x, IDS, verbose=0),
    "predict": lambda model, x: model.predict(x, verbose=0),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_array_in_place_of_a_dict(model, call):
    with pytest.raises(
        ValueError, match=r"features: Transformer reads a dict of arrays, \{'inputs': …, 'targets': …\}"
    ):
        CALLS[call](model, IDS)


@pytest.mark.parametrize("call", CALLS)
def test_targets_that_are_missing(model, call):
    with pytest.raises(
        ValueError, match=r"Transformer reads 'targets', which is missing. There are: 'inputs'. Targets are"
    ):
        CALLS[call](model, {"inputs": IDS})


@pytest.mark.parametrize("call", ["fit", "evaluate"])
def test_no_targets_for_the_loss(model, call):
    with pytest.raises(
        ValueError, match=r"y: there are no targets to compute the loss with. Give `fit` and `evaluate`"
    ):
        getattr(model, call)({"inputs": IDS, "targets": IDS}, verbose=0)


@pytest.mark.parametrize("call", ["generate", "answer"])
def test_what_a_search_is_given(model, call):
    ask = getattr(model, call)
    for given in (["a text"], "a text", np.array(["a text"])):
        with pytest.raises(ValueError, match=r"was given texts, and it has no vocabulary.*problem.batch_of.*kt2t.load"):
            ask(given)
    with pytest.raises(
        ValueError, match=r"features: Transformer reads a dict of arrays, \{'inputs': …\}, and was given nd"
    ):
        ask(IDS)
    with pytest.raises(ValueError, match="Transformer reads 'inputs', which is missing. There are: 'targets'"):
        ask({"targets": IDS})
    with pytest.raises(ValueError, match=r"search: 'bean' is none.*kt2t.decoding.Beam\(beams=4\).*Did you mean 'Beam'"):
        ask({"inputs": IDS}, search="bean")
    found = ask({"inputs": IDS}, search="greedy")
    assert len(found["scores"]) == 4


def test_texts_where_the_model_knows_a_vocabulary():
    encode = {"a": IDS[:1], "b": IDS[1:2]}
    model = Transformer({"inputs": Text(9), "targets": Text(9)}, **SIZES)
    model.encode_texts = lambda texts: {"inputs": np.concatenate([encode[text] for text in texts])}
    expected = model.generate({"inputs": IDS[:2]})
    for given in (["a", "b"], ("a", "b"), np.array(["a", "b"])):
        np.testing.assert_array_equal(model.generate(given)["ids"], expected["ids"])
    assert len(model.generate("a")["ids"]) == 1 and len(model.answer(["b"])["values"]) == 1


def test_models_that_are_not_fed_their_targets():
    reader = TransformerEncoder({"inputs": Text(9), "targets": Label(3)}, **SIZES)
    assert keras.ops.shape(reader({"inputs": IDS})) == (4, 3)
    with pytest.raises(
        ValueError, match=r"TransformerEncoder reads a dict of arrays, \{'inputs': …\}, and was given ndarray"
    ):
        reader.answer(IDS)
    writer = TransformerLM({"targets": Text(9)}, **SIZES)
    with pytest.raises(ValueError, match="TransformerLM reads 'targets', which is missing. There are: 'inputs'"):
        writer.generate({"inputs": IDS})


def test_features_pass_as_they_are():
    given = {"inputs": IDS, "more": IDS}
    assert checked_features(given, ["inputs"], "Model") is given
