"""Checks which of Tensor2Tensor's hparams can be imported, and names what importing the others would need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kt2t.errors import RecipeError, listed
from kt2t.options import nearest
from kt2t.tensor2tensor.hparams import (
    ADAFACTOR,
    ADAM,
    ATTENTIONS,
    FEED_FORWARDS,
    NORM_TYPES,
    NORMS,
    POSITIONS,
    PRECISIONS,
    norms,
)
from kt2t.tensor2tensor.learning_rates import READ as RATES
from kt2t.tensor2tensor.learning_rates import schedule

Hparams = Mapping[str, Any]

LONGEST_PHRASE = 200  # maximum number of characters in the message about one option
REQUIRED = ("hidden_size", "filter_size", "num_heads", "num_hidden_layers")
# Options that `hparams` converts.
READ = RATES | {
    *REQUIRED, "num_encoder_layers", "num_decoder_layers", "conv_first_kernel",
    "parameter_attention_key_channels", "parameter_attention_value_channels",
    "attention_key_channels", "attention_value_channels",
    "layer_preprocess_sequence", "layer_postprocess_sequence", "layer_prepostprocess_dropout", "attention_dropout",
    "relu_dropout", "max_relative_position", "pos", "norm_type", "norm_epsilon", "shared_embedding_and_softmax_weights",
    "label_smoothing", "batch_size", "use_fixed_batch_size", "max_length", "optimizer", "optimizer_adam_beta1",
    "optimizer_adam_beta2", "optimizer_adam_epsilon", "optimizer_adafactor_clipping_threshold",
    "optimizer_adafactor_memory_exponent", "clip_grad_norm", "activation_dtype", "train_steps",
}  # fmt: skip
# The options in READ that are not whole numbers.
WORDS = frozenset({
    "layer_preprocess_sequence", "layer_postprocess_sequence", "pos", "norm_type", "optimizer", "activation_dtype",
    "learning_rate_schedule", "learning_rate_decay_scheme",
})  # fmt: skip
FLAGS = frozenset({
    "shared_embedding_and_softmax_weights", "use_fixed_batch_size", "learning_rate_decay_staircase"
})  # fmt: skip
REALS = frozenset({
    "layer_prepostprocess_dropout", "attention_dropout", "relu_dropout", "norm_epsilon", "label_smoothing",
    "optimizer_adam_beta1", "optimizer_adam_beta2", "optimizer_adam_epsilon", "optimizer_adafactor_clipping_threshold",
    "optimizer_adafactor_memory_exponent", "clip_grad_norm", "learning_rate", "learning_rate_constant",
    "learning_rate_decay_rate", "learning_rate_minimum",
})  # fmt: skip
NULL = frozenset({"learning_rate_minimum"})  # Tensor2Tensor's own default is null
# Options with fixed values: the values that match our Transformer, and what other values would need.
FIXED: dict[str, tuple[tuple[Any, ...], str]] = {
    "self_attention_type": (ATTENTIONS, "that kind of attention"),
    "ffn_layer": (FEED_FORWARDS, "that kind of feed-forward network"),
    "multiply_embedding_mode": (("sqrt_depth",), "an option for the scale of embeddings"),
    "prepend_mode": (("none",), "targets that begin with the inputs"),
    "proximity_bias": ((False,), "attention that prefers what is near"),
    "hard_attention_k": ((0,), "attention to the k best alone"),
    "unidirectional_encoder": ((False,), "an encoder that does not look ahead"),
    "causal_decoder_self_attention": ((True,), "a decoder that looks ahead"),
    "attention_variables_3d": ((False,), "a mapping of kernels of three axes"),
    "num_area_layers": ((0,), "area attention"),
    "compress_steps": ((0,), "inputs that are compressed"),
    "shared_embedding": ((False,), "one embedding for both sides beside a softmax of its own"),
    "factored_logits": ((False,), "factored logits"),
    "symbol_modality_skip_top": ((False,), "a model without a softmax"),
    "symbol_dropout": ((0,), "dropout of whole symbols"),
    "vocab_divisor": ((1,), "a vocabulary that is filled up"),
    "position_features": (("",), "positions of several features"),
    "nbr_decoder_problems": ((1,), "several decoders"),
    "input_modalities": (("default", {}), "another modality"),
    "target_modality": (("default", {}), "another modality"),
    "modality": (({},), "another modality"),
    "bottom": (({},), "another modality"),
    "top": (({},), "another modality"),
    "loss": (({},), "another loss"),
    "name": (({},), "another modality"),
    "weights_fn": (({},), "other weights of the loss"),
    "weight_dtype": (("float32",), "weights of that precision"),
    "weight_decay": ((0,), "an L2 loss of the weights"),
    "weight_noise": ((0,), "noise on the weights"),
    "grad_noise_scale": ((0,), "noise on the gradients"),
    "gumbel_noise_weight": ((0,), "noise on the attention"),
    "scheduled_sampling_prob": ((0,), "scheduled sampling"),
    "optimizer_multistep_accumulate_steps": ((0, 1), "gradients added up over several batches"),
    "optimizer_adafactor_beta1": ((0,), "Adafactor with momentum"),
    "optimizer_adafactor_decay_type": (("pow",), "Adafactor with a fixed decay"),
    "optimizer_adafactor_factored": ((True,), "Adafactor that is not factored"),
    "optimizer_adafactor_multiply_by_parameter_scale": ((True,), "Adafactor with absolute steps"),
    "min_length": ((0,), "dropping short examples"),
    "max_input_seq_length": ((0,), "a limit of the inputs' length alone"),
    "max_target_seq_length": ((0,), "a limit of the targets' length alone"),
    "split_to_length": ((0,), "texts cut to pieces"),
    "split_targets_chunk_length": ((0,), "targets cut to pieces"),
    "multiproblem_vocab_size": ((-1, 0), "several problems in one"),
}  # fmt: skip
# Options that the import ignores: for other models, for parts that FIXED excludes, for the machine, or for decoding and
# reading, which kt2t does in its own way.
WITHOUT_EFFECT = frozenset({
    "add_relative_to_values", "area_key_mode", "area_value_mode", "attention_dropout_broadcast_dims", "batch_shuffle_size",
    "daisy_chain_variables", "data_dir", "dropout", "eval_drop_long_sequences",
    "eval_run_autoregressive", "eval_steps", "force_full_predict", "gpu_automatic_mixed_precision",
    "heads_share_relative_embedding", "initializer", "initializer_gain", "kernel_height", "kernel_width",
    "layer_prepostprocess_dropout_broadcast_dims", "length_bucket_step", "max_area_height", "max_area_width",
    "memory_height", "min_length_bucket", "mixed_precision_optimizer_init_loss_scale",
    "mixed_precision_optimizer_loss_scaler", "mlperf_mode", "model_dir", "moe_hidden_sizes", "moe_k", "moe_loss_coef",
    "moe_num_experts", "moe_overhead_eval", "moe_overhead_train", "multiproblem_fixed_train_length",
    "multiproblem_label_weight", "multiproblem_max_input_length", "multiproblem_max_target_length",
    "multiproblem_mixing_schedule", "multiproblem_per_task_threshold", "multiproblem_reweight_label_loss",
    "multiproblem_schedule_max_examples", "multiproblem_schedule_threshold", "multiproblem_target_eval_only",
    "no_data_parallelism", "optimizer_adafactor_beta2", "optimizer_momentum_momentum", "optimizer_momentum_nesterov",
    "optimizer_zero_grads", "overload_eval_metric_name", "pack_dataset", "pad_batch",
    "pretrained_model_dir", "relu_dropout_broadcast_dims", "sampling_keep_top_k",
    "sampling_method", "sampling_temp", "schedule", "scheduled_sampling_gold_mixin_prob", "scheduled_sampling_method",
    "scheduled_sampling_num_passes", "scheduled_sampling_warmup_schedule", "scheduled_sampling_warmup_steps",
    "split_targets_max_chunks", "split_targets_strided_training", "summarize_grads", "summarize_vars",
    "symbol_modality_num_shards", "tpu_enable_host_call", "use_custom_ops", "use_pad_remover",
    "use_target_space_embedding", "video_num_input_frames", "video_num_target_frames", "warm_start_from",
    "warm_start_from_second",
})  # fmt: skip


def read(file: str | Path) -> dict[str, Any]:
    """Reads and checks the `hparams.json` beside Tensor2Tensor's checkpoints.

    Raises:
        RecipeError: The file cannot be read, or kt2t lacks some of its options; the message names the first of them, and
            says what importing them would need.
    """
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror}.", file=str(file)) from None
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"is no JSON: {error}. It is cut, or it is no hparams.json.", file=str(file)) from None
    if not isinstance(found, dict):
        raise RecipeError("is not a JSON mapping of options, so it is no hparams.json.", file=str(file))
    if wrong := faults(found):
        raise RecipeError(
            f"{len(wrong)} of the options cannot be imported: {listed(_shortened(one) for one in wrong)}. "
            "What is for training alone may be set to its neutral value in a copy of the file.",
            file=str(file),
        )
    return found


def _shortened(phrase: str) -> str:
    return phrase if len(phrase) <= LONGEST_PHRASE else f"{phrase[:LONGEST_PHRASE]}…"


def faults(hparams: Hparams) -> list[str]:
    """Returns a phrase for each of the hparams that cannot be imported."""
    known = READ | WITHOUT_EFFECT | set(FIXED)
    wrong = [f"{name} is missing" for name in REQUIRED if not _is_count(hparams.get(name))]
    strange = _of_another_kind(hparams)
    wrong += strange.values()
    hparams = {name: value for name, value in hparams.items() if name not in strange}
    for name, value in hparams.items():
        if name not in known:
            wrong.append(f"{name} is unknown. {nearest(name, known)}".rstrip(" ?."))
        elif name in FIXED and _has_effect(name, hparams) and value not in FIXED[name][0] and value is not None:
            wrong.append(f"{name} = {json.dumps(value)} needs {FIXED[name][1]}")
    before, after = norms(hparams)
    if (before, after) not in NORMS:
        wrong.append(
            f"layer_preprocess_sequence = {before!r} with {after!r} after needs that order of norm and dropout"
        )
    if hparams.get("norm_type", "layer") not in NORM_TYPES:
        wrong.append(f"norm_type = {json.dumps(hparams['norm_type'])} needs that kind of norm")
    if hparams.get("pos", "timing") not in POSITIONS:
        wrong.append(f"pos = {json.dumps(hparams['pos'])} needs that kind of positions")
    relative = hparams.get("self_attention_type") == "dot_product_relative"
    if relative and not _is_count(hparams.get("max_relative_position")):
        wrong.append("max_relative_position is missing, which dot_product_relative needs")
    if hparams.get("optimizer", "adam") not in ADAM + ADAFACTOR:
        wrong.append(f"optimizer = {json.dumps(hparams['optimizer'])} needs that optimizer")
    if hparams.get("activation_dtype", "float32") not in PRECISIONS:
        wrong.append(f"activation_dtype = {json.dumps(hparams['activation_dtype'])} needs that precision")
    try:
        schedule(hparams)
    except RecipeError as error:
        wrong.append(error.message)
    return wrong


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _of_another_kind(hparams: Hparams) -> dict[str, str]:
    """Returns a phrase for each converted option whose value does not have the type that Tensor2Tensor uses, by name."""
    found = {}
    for name in READ.intersection(hparams).difference(REQUIRED):
        value = hparams[name]
        if value is None and name in NULL:
            continue
        if name in WORDS:
            fits, kind = value is None or isinstance(value, str), "a word"
        elif name in FLAGS:
            fits, kind = isinstance(value, bool), "true or false"
        elif name in REALS:
            fits, kind = type(value) in (int, float) and -1e300 < value < 1e300, "a number"
        else:
            fits, kind = type(value) is int and value >= 0, "a whole number"
        if not fits:
            found[name] = f"{name} = {json.dumps(value)} is not {kind}"
    return dict(sorted(found.items()))


def _has_effect(name: str, hparams: Hparams) -> bool:
    """Whether an option has an effect. Adafactor's options need Adafactor; `shared_embedding` needs separate tables."""
    if name.startswith("optimizer_adafactor_"):
        return hparams.get("optimizer") in ADAFACTOR
    return name != "shared_embedding" or not hparams.get("shared_embedding_and_softmax_weights")
