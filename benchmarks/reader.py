"""The reader and the preparation of data, beside the model and sentencepiece that they serve.

    python benchmarks/reader.py DIR [steps]          # DIR holds the files of Multi30k

Prints the real target tokens a second that the reader gives by itself, the share of training in which the model of
`translation/multi30k_small` waits for it, and the MB of raw text a second that `prepare` turns into records, its vocabulary
known, beside the rate at which sentencepiece encodes the same text on as many cores and keeps nothing; of both also the seconds
that cores worked. Last the rate of Tensor2Tensor's subwords on one core, with a vocabulary of 8,192 made of the text itself.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
from measure import prepared, record, seconds, waiting

from kt2t.data.vocabularies.subword_text_encoder import SubwordTextEncoder
from kt2t.run.assemble import problem_of

TURNS = 3


def reading(problem: Any, steps: int) -> float:
    """Real target tokens a second of the reader alone, without what was read ahead."""
    batches = iter(problem.batches("train", tokens=4096))
    for _ in range(10):
        next(batches)
    tokens: list[float] = []
    spent = seconds(lambda: tokens.extend(float(weights.sum()) for *_, weights in itertools.islice(batches, steps)))
    return sum(tokens) / spent


def preparing(recipe: Any, contents: dict[str, bytes]) -> tuple[float, float]:
    """Seconds that a problem with a known vocabulary takes from raw text to records, and seconds that cores worked."""
    problem = problem_of(recipe)
    for vocabulary in problem.vocabularies().values():
        vocabulary.restore(contents)
    with tempfile.TemporaryDirectory() as folder:
        return both(lambda: problem.prepare(folder))


def subwords(texts: list[str]) -> float:
    """Seconds that one core works to encode texts with Tensor2Tensor's subwords, none of them met before."""
    trained, fresh = (SubwordTextEncoder(size=8192) for _ in range(2))
    trained.train(texts)
    fresh.restore(trained.contents())
    return both(lambda: fresh.encode_all(texts))[1]


def both(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds by the clock, and seconds that cores worked."""
    worked = time.process_time()
    return seconds(work), time.process_time() - worked


def main(path: str, steps: int = 50) -> None:
    recipe, problem = prepared("translation/multi30k_small", f"problem.path={Path(path).resolve()}")
    alone = max(reading(problem, steps) for _ in range(TURNS))
    contents = problem.vocabularies()["inputs"].contents()
    texts = [text for split in problem.splits() for example in problem.examples(split) for text in example.values()]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    processor = sentencepiece.SentencePieceProcessor(model_proto=next(iter(contents.values())))
    found: dict[str, Any] = {"megabytes": round(megabytes, 1)}
    for name, measure in {
        "prepare": lambda: preparing(recipe, contents),
        "sentencepiece alone": lambda: both(lambda: processor.encode(texts, num_threads=os.cpu_count() or 1)),
    }.items():
        wall, cores = (min(one) for one in zip(*(measure() for _ in range(TURNS)), strict=True))
        found[name] = {"MB a second": round(megabytes / wall, 1), "seconds of cores": round(cores, 2)}
    fewest = min(subwords(texts) for _ in range(TURNS))
    record("prepare", **found, **{"Tensor2Tensor's subwords, MB a second": round(megabytes / fewest, 1)})
    share, rate = waiting(recipe, problem, steps)
    text = f"{alone:,.0f} target tokens/s, {alone / rate:.0f} times what that model takes; "
    text += f"the model waits for the reader {share:.2%} of its time"
    record("reader", {"result": text}, reader=round(alone), training=round(rate), waiting=round(share, 4))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
