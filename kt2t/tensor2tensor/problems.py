"""Converts the names of Tensor2Tensor's problems to nodes of our problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kt2t.errors import RecipeError

Node = dict[str, Any]

# Prefixes of the names of text-pair problems.
TEXT_TO_TEXT = (
    "dialog_", "paraphrase_", "parsing_", "sentence_compression_", "style_transfer_", "summarize_", "text2text_",
    "translate_", "wsj_parsing",
)  # fmt: skip
# Prefixes of other problems that a user may name, and what importing them would need.
OTHERS = {
    "algorithmic_": "the vocabulary of symbols that it computes itself",
    "languagemodel_": "a model without inputs",
    "image_": "pictures as inputs or targets",
    "img2img_": "pictures as inputs and targets",
    "librispeech": "sound as inputs",
    "common_voice": "sound as inputs",
    "timit": "sound as inputs",
    "sentiment_": "labels as targets",
    "multi_problem": "several problems in one",
}
OWN = "text2text_tmpdir"


def problem(name: str, vocabularies: Sequence[str]) -> Node:
    """Returns the recipe's `problem` section for a Tensor2Tensor text-pair problem; `train_files` stays empty.

    Args:
        name: The problem's name in Tensor2Tensor, including `_rev` and `_packed`.
        vocabularies: One `.subwords` file for both sides, or the source's and the target's; empty for characters.

    Raises:
        RecipeError: The problem is not a text-pair problem, or needs other vocabularies.
    """
    if not name.startswith(TEXT_TO_TEXT):
        needs = next((what for prefix, what in OTHERS.items() if name.startswith(prefix)), None)
        because = f"importing it needs {needs}" if needs else "kt2t does not know this problem"
        raise RecipeError(
            f"{name!r}: {because}. Give --problem {OWN} if its inputs and targets are texts in subwords.",
            path="--problem",
        )
    node: Node = {"type": "ParallelText", "train_files": None}
    if "_bpe" in name:
        raise RecipeError(
            f"{name!r}: its vocabulary is a list of BPE tokens, which kt2t cannot import.", path="--problem"
        )
    if "_characters" in name:
        if vocabularies:
            raise RecipeError(
                f"{name!r} uses characters and has no .subwords file. Leave this option out.", path="--vocabulary"
            )
        return {**node, "vocabulary": {"type": "Bytes"}}
    encoders = [{"type": "SubwordTextEncoder", "path": file} for file in vocabularies]
    if len(encoders) == 1:
        return {**node, "vocabulary": encoders[0]}
    if len(encoders) == 2:
        return {**node, "source_vocabulary": encoders[0], "target_vocabulary": encoders[1]}
    raise RecipeError(
        f"{len(encoders)} files for {name!r}. Give one .subwords file for both sides, or first the source's, then the "
        "target's.",
        path="--vocabulary",
    )
