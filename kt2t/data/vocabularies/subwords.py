"""A vocabulary of subwords, learned by sentencepiece."""

from __future__ import annotations

import io
import logging
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from kt2t.data.rows import rows_of
from kt2t.data.vocabularies.bytes import BYTES
from kt2t.data.vocabularies.stand_ins import STAND_INS
from kt2t.data.vocabularies.unicode_text import checked, fault
from kt2t.data.vocabularies.vocabulary import Vocabulary
from kt2t.errors import DataError, ResourceError
from kt2t.registry import register

logger = logging.getLogger("kt2t")

FILE = "subwords.model"
RESERVED = 3 + BYTES
LEAST_COVERAGE = 0.98  # sentencepiece refuses less
MOST = 10_000_000  # near 2^31 it never ends
# Fixed, because the pieces that unigram training finds depend on the number of threads (the order of float sums).
TRAINING_THREADS = 8
_ORIGINALS = {stand_in: original for original, stand_in in STAND_INS.items()}
_SPECIAL = re.compile("[" + "".join(STAND_INS) + "]")
_TAKEN = re.compile("<pad>|</s>|<unk>|<s>|<0x[0-9A-F]{2}>")  # how sentencepiece writes ids of its own
_ESCAPED = re.compile("[\x0e\x0f]|\x1a[ntsu0q]")


@register
class Subwords(Vocabulary):
    """Encodes text as subwords learned from the training texts. Unknown characters become bytes, so no text is lost.

    Every text is encoded with a space in front, so that its first word gets the same ids as elsewhere; decoding removes
    the space. Text is not normalised. Ids: 0 padding, 1 end, 2 never used, then the `symbols`, the 256 bytes (3 to 258 without
    symbols), and the subwords.

    Shapes:
        text → ids, about one for each common word

    Args:
        size: Requested number of ids. If the training texts give fewer subwords, a warning says so. The attribute `size`
            is the actual number.
        algorithm: `unigram` (Kudo 2018) or `bpe` (Sennrich et al. 2016).
        character_coverage: Share of the training texts' characters that get an id of their own, from 0.98 to 1.
        max_training_lines: Maximum number of training texts. If there are more, this many are drawn at random, always the
            same ones.
        symbols: Texts such as `<2de>` that are always one id of their own, wherever they stand.

    Raises:
        ValueError: An option is out of its range, or a symbol is empty, given twice, or has a character that it may not have.

    Source: Kudo and Richardson 2018 (sentencepiece).
    """

    begins_with_space = True
    later_options = frozenset({"symbols"})

    def __init__(
        self,
        size: int,
        algorithm: Literal["unigram", "bpe"] = "unigram",
        character_coverage: float = 1.0,
        max_training_lines: int = 1_000_000,
        symbols: list[str] | None = None,
    ) -> None:
        self.symbols = _checked_symbols(symbols or [])
        reserved = RESERVED + len(self.symbols)
        if size <= reserved:
            raise ValueError(f"size: {size} leaves no room for subwords beside {reserved} reserved ids. Use a larger size.")
        if algorithm not in ("unigram", "bpe"):
            raise ValueError(f"algorithm: {algorithm!r} is not known. Choose unigram or bpe.")
        if size > MOST:
            raise ValueError(f"size: {size} is more than sentencepiece can train. Take at most {MOST:,}.")
        if not LEAST_COVERAGE <= character_coverage <= 1.0:
            raise ValueError(
                f"character_coverage: {character_coverage} is not between {LEAST_COVERAGE} and 1, as sentencepiece wants it."
            )
        if max_training_lines < 1:
            raise ValueError(f"max_training_lines: {max_training_lines} is not positive.")
        self.requested_size = size
        self.algorithm = algorithm
        self.character_coverage = character_coverage
        self.max_training_lines = max_training_lines
        self._processor: Any = None
        self._model = b""

    @property
    def trained(self) -> bool:  # type: ignore[override]
        return self._processor is not None

    @property
    def size(self) -> int:
        self.require_training()
        return int(self._processor.get_piece_size())

    def train(self, texts: Iterable[str]) -> None:
        import sentencepiece

        lines = _drawn((" " + _escape(checked(text)) for text in texts if text), self.max_training_lines)
        if not lines:
            raise DataError("Subwords cannot be trained: the training texts are empty. Check the training files.")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=model,
                model_type=self.algorithm,
                vocab_size=self.requested_size,
                hard_vocab_limit=False,
                character_coverage=self.character_coverage,
                byte_fallback=True,
                user_defined_symbols=self.symbols,
                normalization_rule_name="identity",
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                pad_id=0,
                eos_id=1,
                unk_id=2,
                bos_id=-1,
                unk_surface="\ufffd",
                num_threads=TRAINING_THREADS,
                shuffle_input_sentence=False,
                max_sentence_length=1 << 30,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise DataError(_explained(error, self.requested_size)) from error
        self.restore({FILE: model.getvalue()})
        if self.size < self.requested_size:
            logger.warning("The training texts give %d subwords, not the requested %d.", self.size, self.requested_size)

    def encode(self, text: str) -> list[int]:
        self.require_training()
        return list(self._processor.encode(" " + _escape(checked(text)))) if text else []

    def encode_all(self, texts: Sequence[str], threads: int | None = None) -> list[np.ndarray]:
        return self._rows(texts, threads, end=False)

    def encode_ended(self, texts: Sequence[str], threads: int | None = None) -> list[np.ndarray]:
        return self._rows(texts, threads, end=True)

    def decode_ids(self, ids: list[int]) -> str:
        self.require_training()
        text = self._processor.decode(ids) if ids else ""
        return _ESCAPED.sub(lambda found: _ORIGINALS[found[0]], text.removeprefix(" "))

    def in_graph(self) -> Any:
        """Returns this vocabulary as TensorFlow operations (`InGraphSubwords`), for a served graph that reads strings.

        Raises:
            ResourceError: tensorflow-text is not installed; Windows has none.
        """
        try:
            from kt2t.data.vocabularies.in_graph import InGraphSubwords
        except ModuleNotFoundError as error:
            raise ResourceError(
                f"Subwords cannot be part of a graph, because {error.name} is not installed. Install tensorflow-text on "
                "Linux or macOS; elsewhere encode and decode outside of the graph."
            ) from error
        return InGraphSubwords(self.contents()[FILE])

    def _rows(self, texts: Sequence[str], threads: int | None, end: bool) -> list[np.ndarray]:
        self.require_training()
        lines = [" " + text if text else "" for text in _escape_all(texts)]
        return rows_of(self._processor.encode(lines, num_threads=threads or -1, add_eos=end))

    def pieces(self) -> list[str]:
        """Returns all subwords in the order of their ids. A space is written as U+2581."""
        return [self._processor.id_to_piece(number) for number in range(self.size)]

    def contents(self) -> dict[str, bytes]:
        self.require_training()
        return {FILE: self._model}

    def restore(self, contents: Mapping[str, bytes]) -> None:
        import sentencepiece

        if not contents[FILE]:  # sentencepiece accepts an empty model
            raise DataError(f"{FILE} is empty. Prepare the problem again.")
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=contents[FILE])
        except RuntimeError as error:
            raise DataError(f"{FILE} is no model of sentencepiece: {error}. Prepare the problem again.") from error
        self._model = contents[FILE]


def _checked_symbols(symbols: Sequence[str]) -> list[str]:
    """Refuses symbols that sentencepiece would not take, or would not find in a text."""
    for place, symbol in enumerate(symbols):
        if not symbol or any(letter.isspace() or letter in STAND_INS for letter in symbol) or fault(symbol):
            raise ValueError(f"symbols.{place}: {symbol!r} is empty or has a space or a control character.")
        if _TAKEN.fullmatch(symbol):
            raise ValueError(f"symbols.{place}: {symbol!r} is the name of a reserved id. Choose another text.")
        if symbol in symbols[:place]:
            raise ValueError(f"symbols.{place}: {symbol!r} is given twice.")
    return list(symbols)


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda found: STAND_INS[found[0]], text)


def _escape_all(texts: Sequence[str]) -> Sequence[str]:
    """Escapes each text. Usually none needs it, and searching all texts at once is the fastest way to find out."""
    together = "".join(texts)
    if fault(together):
        for text in texts:
            checked(text)
    return [_escape(text) for text in texts] if any(special in together for special in STAND_INS) else texts


def _drawn(lines: Iterable[str], most: int) -> list[str]:
    """Draws at most `most` lines uniformly, always the same ones (reservoir sampling)."""
    chance = random.Random(0)
    kept: list[str] = []
    for number, line in enumerate(lines):
        if number < most:
            kept.append(line)
        elif (place := chance.randrange(number + 1)) < most:
            kept[place] = line
    return kept


def _explained(error: RuntimeError, size: int) -> str:
    needed = re.search(r"required_chars\. \d+ vs (\d+)", str(error))
    if needed:
        return (
            f"size {size} is too small for Subwords: the characters of the training texts alone need {needed[1]}. "
            "Raise the vocabulary's size or lower its character_coverage."
        )
    return f"sentencepiece cannot train Subwords: {error}"
