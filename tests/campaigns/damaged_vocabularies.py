"""The files beside the texts that `fuzz_texts.py` damages: vocabularies, saved ones and Tensor2Tensor's, and its hparams.

A reader gives whether what it read is right: a vocabulary gives every text back, or is the one that was saved; the
recipe's sizes are those that Python's own `json` reads.
"""

from __future__ import annotations

import hashlib
import json
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kt2t.data.vocabularies.characters import Characters
from kt2t.data.vocabularies.closed_words import ClosedWords
from kt2t.data.vocabularies.subword_text_encoder import SubwordTextEncoder
from kt2t.data.vocabularies.subwords import Subwords
from kt2t.data.vocabularies.vocabulary import Vocabulary
from kt2t.data.vocabularies.words import Words
from kt2t.recipe_file import recipe_of
from kt2t.tensor2tensor import hparams, supported

SUBWORDS = [*"\\_;0123456789", *"abcdefghijklmnopqrstuvwxyz<>EOS", "the_", "line", "ing_", " ", "é", "ß"]
TEXTS = ["the cat sat on the mat", "eine Straße, é", "a line\nand another line"]
ASKED = "the line on the mat"
ODD = [None, True, -1, 0, 0.5, "", "many", "8", [], [8], {}, {"a": 1}, 10**30, 1e308, float("nan"), "\u202e"]
HPARAMS = {
    "hidden_size": 512, "filter_size": 2048, "num_heads": 8, "num_hidden_layers": 6, "num_encoder_layers": 0,
    "num_decoder_layers": 0, "attention_key_channels": 0, "attention_value_channels": 0, "layer_preprocess_sequence": "n",
    "layer_postprocess_sequence": "da", "layer_prepostprocess_dropout": 0.1, "attention_dropout": 0.1, "relu_dropout": 0.1,
    "max_relative_position": 0, "self_attention_type": "dot_product", "pos": "timing", "norm_type": "layer",
    "norm_epsilon": 1e-6, "shared_embedding_and_softmax_weights": True, "label_smoothing": 0.1, "batch_size": 4096,
    "use_fixed_batch_size": False, "max_length": 256, "optimizer": "adam", "optimizer_adam_beta1": 0.9,
    "optimizer_adam_beta2": 0.997, "optimizer_adam_epsilon": 1e-9, "clip_grad_norm": 0.0, "activation_dtype": "float32",
    "learning_rate": 0.2, "learning_rate_constant": 2.0, "learning_rate_warmup_steps": 8000, "weight_decay": 0.0,
    "learning_rate_schedule": "constant*linear_warmup*rsqrt_decay*rsqrt_hidden_size", "modality": {}, "train_steps": 9,
}  # fmt: skip


def _read_subwords(files: list[Path]) -> bool:
    vocabulary = SubwordTextEncoder(str(files[0]))
    text = "the line 12, und Straße é: taking it _ all \\ 五"
    return bool(vocabulary.decode(vocabulary.encode(text)) == text)


def _make_subwords(folder: Path, chance: random.Random) -> list[Path]:
    file = folder / "vocab.subwords"
    file.write_text("".join(f"'{subword}'\n" for subword in ("<pad>", "<EOS>", *SUBWORDS)), encoding="utf-8")
    return [file]


class _Saved:
    """A vocabulary that is trained once and saved for each case."""

    def __init__(self, vocabulary: Any) -> None:
        self._vocabulary = vocabulary

    def make(self, folder: Path, chance: random.Random) -> list[Path]:
        if not self._vocabulary.trained:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that these texts give fewer subwords
                self._vocabulary.train(TEXTS)
        self._vocabulary.save(folder)
        return sorted(folder.iterdir())

    def read(self, files: list[Path]) -> bool:
        found = Vocabulary.load(files[0].parent)
        return bool(found.encode(ASKED) == self._vocabulary.encode(ASKED) and found.size == self._vocabulary.size)

    def read_with_hashes_that_fit(self, files: list[Path]) -> bool:
        """As somebody does who knows where the hashes stand: what was learned is then another, or none."""
        note_file = files[0].parent / "vocabulary.json"
        try:
            note = json.loads(note_file.read_text(encoding="utf-8"))
            note["files"] = {
                name: hashlib.sha256((files[0].parent / name).read_bytes()).hexdigest() for name in note["files"]
            }
            note_file.write_text(json.dumps(note), encoding="utf-8")
        except (ValueError, TypeError, KeyError, OSError, RecursionError):
            pass  # it is the note that is damaged
        return self.read(files)


def _make_hparams(folder: Path, chance: random.Random) -> list[Path]:
    content: dict[str, Any] = dict(HPARAMS)
    for name in chance.sample(sorted(content), chance.randint(0, 2)):
        content[name] = chance.choice(ODD)
    file = folder / "hparams.json"
    file.write_text(json.dumps(content, indent=chance.choice([None, 1])), encoding="utf-8")
    return [file]


def _read_hparams(files: list[Path]) -> bool:
    found = supported.read(files[0])
    problem = {"type": "Reverse", "loss": hparams.loss(found), "max_length": hparams.max_length(found)}
    nodes = {
        "problem": problem, "model": hparams.model(found), "optimizer": hparams.optimizer(found),
        "train": hparams.train(found), "report": hparams.report(),
    }  # fmt: skip
    recipe_of(nodes, ()).check()
    meant, model = json.loads(files[0].read_text(encoding="utf-8")), nodes["model"]
    names = {"hidden_dim": "hidden_size", "intermediate_dim": "filter_size", "num_layers": "num_hidden_layers"}
    return all(model[ours] == meant[theirs] for ours, theirs in names.items())


def _kinds() -> dict[str, tuple[Callable[[Path, random.Random], list[Path]], Callable[[list[Path]], bool]]]:
    found = {"subwords": (_make_subwords, _read_subwords), "hparams": (_make_hparams, _read_hparams)}
    for vocabulary in (Characters(), Words(), ClosedWords(), Subwords(300)):
        saved, name = _Saved(vocabulary), type(vocabulary).__name__
        found[f"saved {name}"] = (saved.make, saved.read)
        found[f"saved {name}, hashes that fit"] = (saved.make, saved.read_with_hashes_that_fit)
    return found


KINDS = _kinds()
