"""Converts Tensor2Tensor's hparams to the sections of a recipe; `supported` checks whether they can be converted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kt2t.tensor2tensor.learning_rates import schedule

Hparams = Mapping[str, Any]
Node = dict[str, Any]

NORMS = {("n", "da"): "pre", ("none", "dan"): "post", ("", "dan"): "post"}
ADAM = ("adam", "Adam", "true_adam", "TrueAdam")
ADAFACTOR = ("adafactor", "Adafactor")
POSITIONS = ("timing", "emb", "none", None)
ATTENTIONS = ("dot_product", "dot_product_relative")
FEED_FORWARDS = ("dense_relu_dense", "conv_relu_conv", "conv_hidden_relu_with_sepconv", "parameter_attention")
NORM_TYPES = {"layer": "LayerNorm", "l2": "L2Norm", "noam": "NoamNorm"}
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def sizes(hparams: Hparams) -> Node:
    """Returns the options that determine a Transformer's weights and computation; None stands for our default."""
    return {
        "num_layers": hparams["num_hidden_layers"],
        "hidden_dim": hparams["hidden_size"],
        "intermediate_dim": hparams["filter_size"],
        "num_heads": hparams["num_heads"],
        "key_dim": hparams.get("attention_key_channels") or None,
        "value_dim": hparams.get("attention_value_channels") or None,
        "norm": NORMS[norms(hparams)],
        "encoder_layers": hparams.get("num_encoder_layers") or None,
        "decoder_layers": hparams.get("num_decoder_layers") or None,
        "positions": _positions(hparams),
        "attention": _attention(hparams),
        "feed_forward": _feed_forward(hparams),
        "normalization": _normalization(hparams),
    }


def norms(hparams: Hparams) -> tuple[str, str]:
    """Returns the operations before and after a sublayer: n for norm, d for dropout, a for the residual sum."""
    return hparams.get("layer_preprocess_sequence", "none"), hparams.get("layer_postprocess_sequence", "dan")


def model(hparams: Hparams) -> Node:
    """Returns the recipe's node of the model, a Transformer."""
    return {
        "type": "Transformer",
        **{option: value for option, value in sizes(hparams).items() if value is not None},
        "dropout": float(hparams.get("layer_prepostprocess_dropout", 0.1)),
        "attention_dropout": float(hparams.get("attention_dropout", 0.0)),
        "activation_dropout": float(hparams.get("relu_dropout", 0.0)),
        "tie": "all" if hparams.get("shared_embedding_and_softmax_weights") else "none",
    }


def optimizer(hparams: Hparams) -> Node:
    """Returns the recipe's node of the optimizer, with its learning rate schedule."""
    node: Node
    if hparams.get("optimizer", "adam") in ADAFACTOR:
        node = {
            "type": "Adafactor",
            "learning_rate": schedule(hparams),
            "relative_step": False,
            "beta_2_decay": -float(hparams.get("optimizer_adafactor_memory_exponent", 0.8)),
            "clip_threshold": float(hparams.get("optimizer_adafactor_clipping_threshold", 1.0)),
        }
    else:
        node = {
            "type": "Adam",
            "learning_rate": schedule(hparams),
            "beta_1": float(hparams.get("optimizer_adam_beta1", 0.9)),
            "beta_2": float(hparams.get("optimizer_adam_beta2", 0.999)),
            "epsilon": float(hparams.get("optimizer_adam_epsilon", 1e-6)),
        }
    if hparams.get("clip_grad_norm"):
        node["global_clipnorm"] = float(hparams["clip_grad_norm"])
    return node


def loss(hparams: Hparams) -> Node:
    """Returns the recipe's node of the problem's loss."""
    return {"type": "CrossEntropy", "label_smoothing": float(hparams.get("label_smoothing", 0.0))}


def train(hparams: Hparams) -> Node:
    """Returns the recipe's `train` section; without `train_steps`, the steps are the default of Tensor2Tensor's trainer."""
    measure = "rows" if hparams.get("use_fixed_batch_size") else "tokens"
    return {
        "steps": int(hparams.get("train_steps") or 250_000),
        "batch": {measure: int(hparams.get("batch_size", 4096))},
        "dtype": PRECISIONS[hparams.get("activation_dtype", "float32")],
    }


def report() -> Node:
    """Returns the recipe's `report` section: the steps between evaluations and the search, as in Tensor2Tensor."""
    search = {"type": "Beam", "beams": 4, "length_penalty": 0.6, "extra_length": 100}
    return {"every": 1000, "decode": search}


def max_length(hparams: Hparams) -> int:
    """Returns the maximum length of training examples, in tokens."""
    return int(hparams.get("max_length") or hparams.get("batch_size", 4096))


def _positions(hparams: Hparams) -> Node | None:
    kind = hparams.get("pos", "timing")
    if kind == "timing":
        return None
    return {"type": "LearnedPositions", "max_length": max_length(hparams)} if kind == "emb" else {"type": "NoPositions"}


def _attention(hparams: Hparams) -> Node | None:
    kind = hparams.get("self_attention_type", "dot_product")
    node: Node
    if kind == "dot_product_relative":
        node = {"type": "RelativeAttention", "max_distance": hparams["max_relative_position"]}
    elif kind == "dot_product_relative_v2":
        node = {
            "type": "RelativeGlobalAttention",
            "max_distance": hparams["max_relative_position"],
            "shares_heads": bool(hparams.get("heads_share_relative_embedding")),
            "adds_to_values": bool(hparams.get("add_relative_to_values")),
        }
    elif hparams.get("proximity_bias"):
        node = {"type": "ProximityAttention"}
    elif hparams.get("hard_attention_k"):
        node = {"type": "HardAttention", "k": hparams["hard_attention_k"]}
    else:
        return None
    node |= {
        "num_heads": hparams["num_heads"],
        "key_dim": hparams.get("attention_key_channels") or None,
        "value_dim": hparams.get("attention_value_channels") or None,
        "dropout": float(hparams.get("attention_dropout", 0.0)),
    }
    return {option: value for option, value in node.items() if value is not None}


def _feed_forward(hparams: Hparams) -> Node | None:
    kind, width = hparams.get("ffn_layer") or "dense_relu_dense", hparams["filter_size"]
    dropout = float(hparams.get("relu_dropout", 0.0))
    if kind == "conv_relu_conv":
        node = {"type": "ConvolutionalFeedForward", "intermediate_dim": width, "dropout": dropout, "first_is_own": True}
        return {**node, "width": hparams.get("conv_first_kernel", 3)}
    if kind == "conv_hidden_relu_with_sepconv":
        return {"type": "SeparableFeedForward", "intermediate_dim": width, "dropout": dropout}
    if kind == "parameter_attention":
        node = {
            "type": "ParameterAttention",
            "intermediate_dim": width,
            "num_heads": hparams["num_heads"],
            "key_dim": hparams.get("parameter_attention_key_channels") or None,
            "value_dim": hparams.get("parameter_attention_value_channels") or None,
            "dropout": float(hparams.get("attention_dropout", 0.0)),
        }
        return {option: value for option, value in node.items() if value is not None}
    return None


def _normalization(hparams: Hparams) -> Node | None:
    kind, epsilon = NORM_TYPES[hparams.get("norm_type", "layer")], float(hparams.get("norm_epsilon", 1e-6))
    return None if (kind, epsilon) == ("LayerNorm", 1e-6) else {"type": kind, "epsilon": epsilon}
