"""The reader and the preparation of data, beside the model and sentencepiece that they serve.

    python benchmarks/reader.py DIR [steps]          # DIR holds the files of Multi30k

Prints the real target tokens a second that the reader gives by itself, the share of training in which the model of
`translation/multi30k_small` waits for it, and the MB of raw text a second that `prepare` turns into records, its vocabulary
known, beside the rates of encoding alone: by sentencepiece on as many cores, and by Tensor2Tensor's subwords on one, with a
vocabulary of 8,192 made of the text itself.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import sentencepiece
from measure import clock, least, prepared, record, seconds, waiting

from kt2t.data.vocabularies.subword_text_encoder import SubwordTextEncoder
from kt2t.run.assemble import problem_of

TURNS = 3


def reading(problem: Any, steps: int) -> float:
    """Real target tokens a second of the reader alone, without what was read ahead."""
    batches = iter(problem.batches("train", tokens=4096))
    for _ in range(10):
        next(batches)
    begun = clock()
    return sum(float(weights.sum()) for *_, weights in itertools.islice(batches, steps)) / (clock() - begun)


def preparing(recipe: Any, contents: dict[str, bytes]) -> None:
    """Turns raw text into records with a known vocabulary."""
    problem = problem_of(recipe)
    for vocabulary in problem.vocabularies().values():
        vocabulary.restore(contents)
    with tempfile.TemporaryDirectory() as folder:
        problem.prepare(folder)


def subwords(texts: list[str]) -> float:
    """Seconds in which one core encodes texts with Tensor2Tensor's subwords, none of them met before."""
    trained, fresh = (SubwordTextEncoder(size=8192) for _ in range(2))
    trained.train(texts)
    fresh.restore(trained.contents())
    return seconds(lambda: fresh.encode_all(texts))


def main(path: str, steps: int = 50) -> None:
    recipe, problem = prepared("translation/multi30k_small", f"problem.path={Path(path).resolve()}")
    alone = max(reading(problem, steps) for _ in range(TURNS))
    contents = problem.vocabularies()["inputs"].contents()
    texts = [text for split in problem.splits() for example in problem.examples(split) for text in example.values()]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    processor = sentencepiece.SentencePieceProcessor(model_proto=next(iter(contents.values())))
    wall = {
        "prepare": least(lambda: preparing(recipe, contents), TURNS),
        "sentencepiece alone": least(lambda: processor.encode(texts, num_threads=os.cpu_count() or 1), TURNS),
        "Tensor2Tensor's subwords": min(subwords(texts) for _ in range(TURNS)),
    }
    rates = {f"{name}, MB a second": round(megabytes / spent, 1) for name, spent in wall.items()}
    record("prepare", megabytes=round(megabytes, 1), **rates)
    share, rate = waiting(recipe, problem, steps)
    text = f"{alone:,.0f} target tokens/s, {alone / rate:.0f} times what that model takes; "
    text += f"the model waits for the reader {share:.2%} of its time"
    record("reader", {"result": text}, reader=round(alone), training=round(rate), waiting=round(share, 4))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
