"""Tags of words and a label of their sentence, from treebanks in CoNLL-U."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from kt2t.data.problem import Example
from kt2t.data.sources.conllu import Sentence
from kt2t.data.tagging.conllu_tags import ConlluTags
from kt2t.data.vocabularies.classes import Classes
from kt2t.errors import DataError
from kt2t.features import Label, Tags, Text
from kt2t.registry import register


@register
class ConlluTagsAndLabel(ConlluTags):
    """Two targets for each sentence: `tags`, one a word, and `label`, one for the whole, such as its genre.

    The label is part of a comment. In UD_English-EWT, for example, `# sent_id = weblog-blogspot.com_…` begins with the genre.

    Args:
        label_comment: Name of the comment that holds the label, such as `sent_id`.
        label_weight: Weight of the label's loss; the tags' loss has weight 1. There are far fewer labels than tags, so the
            model overfits the labels first; a small weight keeps this from harming the layers that both share.
        label_pattern: A regular expression; its first match in the comment is the label, or its first group if it has one.
        common: The options of `ConlluTags`.

    Raises:
        ValueError: See `ConlluTags`; or `label_weight` is not positive, or `label_pattern` is no regular expression.

    Source: see `ConlluTags`.
    """

    training_options = ConlluTags.training_options | {"label_weight"}

    def __init__(
        self,
        label_comment: str = "sent_id",
        label_weight: float = 1.0,
        label_pattern: str = "[A-Za-z]+",
        **common: Any,
    ) -> None:
        super().__init__(**common)
        if label_weight <= 0:
            raise ValueError(f"label_weight: {label_weight} is not positive.")
        self.loss_weights = {"tags": 1.0, "label": label_weight}
        try:
            self._label = re.compile(label_pattern)
        except re.error as error:
            raise ValueError(f"label_pattern: {label_pattern!r} is no regular expression: {error}.") from None
        self.label_comment = label_comment
        self._labels = Classes()

    def vocabularies(self) -> dict[str, Any]:
        return {"inputs": self._words, "targets.tags": self._tags, "targets.label": self._labels}

    def example(self, sentence: Sentence) -> Example:
        found = super().example(sentence)
        return {**found, "targets": {"tags": found["targets"], "label": self._label_of(sentence)}}

    def encode(self, example: Mapping[str, Any]) -> dict[str, Any]:
        encoded: dict[str, Any] = super().encode({"inputs": example["inputs"]})
        if "targets" in example:
            label = self._labels.number(example["targets"]["label"])
            tags = self._tags.tag_ids(example["targets"]["tags"])
            encoded["targets"] = {"tags": tags, "label": np.asarray(label, np.int32)}
        return encoded

    def _features_with(self, words: int, tags: int) -> dict[str, Any]:
        labels = self._labels.size if self._labels.trained else 2
        return {"inputs": Text(words), "targets": {"tags": Tags(tags), "label": Label(labels)}}

    def _classes_of(self, example: Mapping[str, Any]) -> dict[Classes, list[str]]:
        targets = example.get("targets")
        return {self._tags: targets["tags"], self._labels: [targets["label"]]} if targets else {}

    def _unknown(self, sentence: Sentence) -> DataError | None:
        label = self._label_of(sentence)
        if self._labels.trained and label not in self._labels.names:
            known = ", ".join(self._labels.names[:20])
            return DataError(
                f"the sentence has the label {label!r}, which no training sentence has (they have {known}). "
                "Correct it, or allow some such sentences to be left out with problem.skip.",
                file=sentence.file,
                line=sentence.line,
            )
        return super()._unknown(sentence)

    def _label_of(self, sentence: Sentence) -> str:
        comment = sentence.comments.get(self.label_comment)
        found = self._label.search(comment) if comment is not None else None
        if found is None:
            has = (
                f"is {comment!r}, where {self._label.pattern!r} finds nothing" if comment is not None else "is missing"
            )
            raise DataError(
                f"the comment {self.label_comment!r} of this sentence {has}, so it has no label. "
                "Add it, or name another with problem.label_comment.",
                file=sentence.file,
                line=sentence.line,
            )
        return found[1] if found.re.groups else found[0]
