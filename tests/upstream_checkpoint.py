"""A small Transformer as Tensor2Tensor would leave it behind: checkpoint, hparams and vocabulary, of drawn numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from kt2t.data.vocabularies.subword_text_encoder import SubwordTextEncoder

HPARAMS = {
    "hidden_size": 8,
    "filter_size": 12,
    "num_heads": 2,
    "num_hidden_layers": 1,
    "layer_preprocess_sequence": "n",
    "layer_postprocess_sequence": "da",
    "shared_embedding_and_softmax_weights": True,
    "symbol_modality_num_shards": 3,
    "batch_size": 256,
    "max_length": 32,
    "label_smoothing": 0.1,
    "optimizer": "adam",
    "optimizer_adam_beta2": 0.98,
    "learning_rate": 0.2,
    "learning_rate_decay_scheme": "noam",
    "learning_rate_warmup_steps": 40,
}
TEXTS = ["the cat sat on the mat", "a dog sat on the log", "a frog and a hog"]


def vocabulary(size: int = 47) -> SubwordTextEncoder:
    """Learned from a few sentences."""
    made = SubwordTextEncoder(size=size)
    made.train(TEXTS)
    return made


def variables(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The model's variables by name; the table has `rows` rows in three shards."""
    draw = np.random.default_rng(seed)
    width, inner = HPARAMS["hidden_size"], HPARAMS["filter_size"]
    found = {"transformer/body/target_space_embedding/kernel": (32, width)}
    for number, part in enumerate(np.array_split(np.arange(rows), 3)):
        found[f"transformer/symbol_modality_{rows}_{width}/shared/weights_{number}"] = (len(part), width)
    for stack, attentions in {"encoder": ["self"], "decoder": ["self", "encdec"]}.items():
        norms = [f"transformer/body/{stack}"]
        for attention in attentions:
            norms.append(f"transformer/body/{stack}/layer_0/{attention}_attention")
            for leaf in ("q", "k", "v", "output_transform"):
                found[f"{norms[-1]}/multihead_attention/{leaf}/kernel"] = (width, width)
        norms.append(f"transformer/body/{stack}/layer_0/ffn")
        for leaf, shape in {"conv1": (width, inner), "conv2": (inner, width)}.items():
            found[f"{norms[-1]}/{leaf}/kernel"], found[f"{norms[-1]}/{leaf}/bias"] = shape, shape[1:]
        for norm in norms:
            for leaf in ("scale", "bias"):
                found[f"{norm}/layer_prepostprocess/layer_norm/layer_norm_{leaf}"] = (width,)
    return {name: draw.normal(size=shape, scale=0.3).astype("float32") for name, shape in found.items()}


def state(model: dict[str, np.ndarray], space: int = 5, step: int = 7) -> dict[str, np.ndarray]:
    """What the trainer keeps beside the model: Adam's means, and counts; of the target spaces one was trained."""
    found: dict[str, np.ndarray] = {"global_step": np.asarray(step, "int64")}
    found["losses_avg/problem_0/total_loss"] = np.asarray(100.0, "float32")
    found["training/beta1_power"] = np.asarray(0.9 ** (step + 1), "float32")
    for name, value in model.items():
        moved = np.full_like(value, 0.25)
        if "target_space" in name:
            moved = np.where(np.arange(len(value))[:, None] == space, moved, 0).astype("float32")
        found[f"training/{name}/Adam"], found[f"training/{name}/Adam_1"] = -moved, moved
    return found


def write(prefix: Path, content: dict[str, np.ndarray]) -> Path:
    """Writes a checkpoint in TensorFlow's format."""
    import tensorflow as tf

    names = list(content)
    tensors = [tf.convert_to_tensor(content[name]) for name in names]
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
    return prefix


def leave_behind(folder: Path) -> list[str]:
    """Makes the files of a training in a folder; the words of the command that imports them, but for `--run-dir`."""
    subwords = vocabulary()
    model = variables(subwords.size)
    write(folder / "t2t" / "model.ckpt-7", {**model, **state(model)})
    (folder / "t2t" / "hparams.json").write_text(json.dumps(HPARAMS), encoding="utf-8")
    (folder / "v.subwords").write_bytes(subwords.contents()["vocabulary.subwords"])
    words = ["import-t2t", str(folder / "t2t"), "--hparams", str(folder / "t2t" / "hparams.json")]
    return [*words, "--vocabulary", str(folder / "v.subwords"), "--problem", "translate_ende_wmt8k"]
