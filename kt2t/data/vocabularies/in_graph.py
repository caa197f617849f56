"""`Subwords` as TensorFlow operations, so that a served graph can read and write text."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_text

from kt2t.data.vocabularies.stand_ins import STAND_INS
from kt2t.features import END, PADDING

# Applied one after the other in this order, the replacements equal those that `Subwords` does at once: no replacement
# produces a character that a later one replaces.
_ESCAPES = sorted(STAND_INS.items(), key=lambda pair: "\x1a\x0e\x0f\x00\u2581\u2047\n\t".index(pair[0]))


class InGraphSubwords(tf.Module):
    """Encodes and decodes text inside a graph, with the ids of a `Subwords` vocabulary (see `Subwords.in_graph`).

    Make it an attribute of a `tf.Module` or model, and `tf.saved_model.save` saves it too. Invalid UTF-8 is read as
    U+FFFD.

    Args:
        model: The bytes of a sentencepiece model.
    """

    def __init__(self, model: bytes) -> None:
        super().__init__()
        self._tokenizer = tensorflow_text.SentencepieceTokenizer(model=model, out_type=tf.int32)

    def encode(self, texts: tf.Tensor, end: bool = False) -> tf.RaggedTensor:
        """Encodes texts.

        Shapes:
            texts (batch,) string → ids (batch, None) int32

        Args:
            texts: A tensor of strings.
            end: Whether to add the end id after each text, as in training examples.
        """
        texts = escaped = tf.convert_to_tensor(texts)
        for original, stand_in in _ESCAPES:
            escaped = tf.strings.regex_replace(escaped, _pattern(original), stand_in)
        spaced = tf.where(tf.equal(texts, ""), "", tf.strings.join([" ", escaped]))
        ids = self._tokenizer.tokenize(spaced)
        return tf.concat([ids, tf.fill([ids.nrows(), 1], END)], axis=1) if end else ids

    def decode(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """Decodes each row of ids up to its first end id; skips padding.

        Shapes:
            ids (batch, time) int32, dense or ragged → (batch,) string
        """
        dense = ids.to_tensor(PADDING) if isinstance(ids, tf.RaggedTensor) else tf.convert_to_tensor(ids)
        before = tf.equal(tf.cumsum(tf.cast(tf.equal(dense, END), tf.int32), axis=1), 0)
        kept = tf.ragged.boolean_mask(dense, tf.logical_and(before, tf.not_equal(dense, PADDING)))
        texts = tf.strings.regex_replace(self._tokenizer.detokenize(kept), r"\A ", "", replace_global=False)
        for original, stand_in in reversed(_ESCAPES):
            texts = tf.strings.regex_replace(texts, _pattern(stand_in), original)
        return texts


def _pattern(text: str) -> str:
    return "".join(f"\\x{{{ord(character):x}}}" for character in text)
