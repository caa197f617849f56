import pytest

from kt2t.features import Label, Text
from kt2t.models import Transformer, TransformerEncoder, TransformerLM
from kt2t.options import options
from kt2t.registry import describe
from kt2t.signatures import static_options

TEXTS = {"inputs": Text(12), "targets": Text(12)}
SHARED = {
    "num_layers",
    "hidden_dim",
    "intermediate_dim",
    "num_heads",
    "dropout",
    "attention_dropout",
    "activation_dropout",
}
SHARED |= {"norm", "key_dim", "value_dim", "positions", "attention", "feed_forward", "recompute", "normalization"}


@pytest.mark.parametrize("cls", [Transformer, TransformerLM, TransformerEncoder])
def test_every_model_has_the_shared_options_and_none_of_those_it_fills_in(cls):
    for known in (set(options(cls)), set(static_options(cls.__name__, "model"))):
        assert known >= SHARED
        assert not known & {"encoder", "decoder"}


def test_both_stacks_have_the_shared_sizes():
    model = Transformer(
        TEXTS, num_layers=2, hidden_dim=8, num_heads=2, intermediate_dim=12, norm="post", decoder_layers=3
    )
    assert (len(model.encoder.layers), len(model.decoder.layers)) == (2, 3)
    assert model.encoder.norm is None and model.decoder.causal and not model.encoder.causal
    assert model.decoder.reads_memory and not model.encoder.reads_memory


def test_the_node_holds_what_was_given():
    model = TransformerEncoder({"inputs": Text(12), "targets": Label(2)}, num_layers=1, hidden_dim=8, num_heads=2)
    node = describe(model)
    assert node.pop("features") and node == {
        "type": "TransformerEncoder",
        "num_layers": 1,
        "hidden_dim": 8,
        "num_heads": 2,
    }
