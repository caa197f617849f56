import json

import numpy as np
import pytest

from kt2t.registry import build
from kt2t.tensor2tensor import hparams as upstream
from kt2t.tensor2tensor.supported import faults

BASE = {
    "hidden_size": 512,
    "filter_size": 2048,
    "num_heads": 8,
    "num_hidden_layers": 6,
    "layer_preprocess_sequence": "n",
    "layer_postprocess_sequence": "da",
    "learning_rate": 0.2,
    "learning_rate_decay_scheme": "noam",
    "learning_rate_warmup_steps": 8000,
}


def test_base(tensor2tensor):
    sets = json.loads((tensor2tensor / "hparams.json").read_text(encoding="utf-8"))
    base = {**sets["basic_1"], **sets["transformer_base"]}
    assert upstream.model(base) == {
        "type": "Transformer",
        "num_layers": 6,
        "hidden_dim": 512,
        "intermediate_dim": 2048,
        "num_heads": 8,
        "norm": "pre",
        "dropout": 0.1,
        "attention_dropout": 0.1,
        "activation_dropout": 0.1,
        "tie": "all",
    }
    rate = build(upstream.optimizer(base)["learning_rate"], "learning_rate")
    assert float(rate(8000)) == pytest.approx(9.88e-4, rel=1e-3)  # 2 / √8000 / √512
    assert {k: v for k, v in upstream.optimizer(base).items() if k != "learning_rate"} == {
        "type": "Adam",
        "beta_1": 0.9,
        "beta_2": 0.997,
        "epsilon": 1e-9,
    }
    assert upstream.loss(base) == {"type": "CrossEntropy", "label_smoothing": 0.1}
    assert upstream.train(base) == {"steps": 250_000, "batch": {"tokens": 4096}, "dtype": "float32"}
    assert upstream.max_length(base) == 256


def test_what_differs_from_base():
    changed = {
        **BASE,
        "layer_preprocess_sequence": "none",
        "layer_postprocess_sequence": "dan",
        "num_decoder_layers": 2,
        "attention_key_channels": 24,
        "attention_value_channels": 8,
        "pos": "emb",
        "max_length": 20,
        "norm_type": "noam",
        "norm_epsilon": 1e-5,
        "clip_grad_norm": 2.0,
        "batch_size": 16,
        "use_fixed_batch_size": True,
        "train_steps": 30,
        "activation_dtype": "bfloat16",
    }
    assert faults(changed) == []
    model = upstream.model(changed)
    assert (model["norm"], model["decoder_layers"], model["key_dim"], model["value_dim"]) == ("post", 2, 24, 8)
    assert model["positions"] == {"type": "LearnedPositions", "max_length": 20}
    assert model["normalization"] == {"type": "NoamNorm", "epsilon": 1e-5}
    assert model["tie"] == "none" and "encoder_layers" not in model
    assert upstream.optimizer(changed)["global_clipnorm"] == 2.0
    assert upstream.train(changed) == {"steps": 30, "batch": {"rows": 16}, "dtype": "mixed_bfloat16"}


@pytest.mark.parametrize(
    ("hparams", "node"),
    [
        ({"self_attention_type": "dot_product"}, None),
        (
            {"self_attention_type": "dot_product_relative", "max_relative_position": 20},
            {"type": "RelativeAttention", "max_distance": 20},
        ),
        (
            {
                "self_attention_type": "dot_product_relative_v2",
                "max_relative_position": 9,
                "heads_share_relative_embedding": True,
            },
            {"type": "RelativeGlobalAttention", "max_distance": 9, "shares_heads": True, "adds_to_values": False},
        ),
        ({"proximity_bias": True}, {"type": "ProximityAttention"}),
        ({"hard_attention_k": 2}, {"type": "HardAttention", "k": 2}),
    ],
)
def test_kinds_of_attention(hparams, node):
    shared = {"num_heads": 8, "dropout": 0.3}
    found = upstream.sizes({**BASE, "attention_dropout": 0.3, **hparams})["attention"]
    assert found == (node and {**node, **shared})
    assert node is None or build(found).num_heads == 8


def test_adafactor_is_tensor2tensors(golden):
    """Five steps on fixed gradients, at the rate of min(1/√t, 0.01) that the golden case was run with."""
    import keras

    numbers = golden("util_adafactor_default")
    node = upstream.optimizer({**BASE, "optimizer": "Adafactor", "clip_grad_norm": 0.0})
    node |= {"learning_rate": 0.01}  # what the rate of the case is at its first five steps
    for kind in ("vec", "mat"):
        weight = keras.Variable(numbers[f"in/init_{kind}"])
        optimizer = build(node, "optimizer")
        optimizer.build([weight])
        for step, gradient in enumerate(numbers[f"in/grads_{kind}"]):
            optimizer.apply([keras.ops.convert_to_tensor(gradient)])
            np.testing.assert_allclose(
                keras.ops.convert_to_numpy(weight), numbers[f"out/trajectory_{kind}"][step], rtol=2e-5, atol=1e-6
            )
