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

from measure import record

from kt2t.data.vocabularies.subword_text_encoder import SubwordTextEncoder
from kt2t.recipe_file import load
from kt2t.run.assemble import assemble, problem_of

TURNS = 3


def reading(problem: Any, steps: int) -> float:
    """Real target tokens a second of the reader alone, without what was read ahead."""
    batches = iter(problem.batches("train", tokens=4096))
    for _ in range(10):
        next(batches)
    begun = time.perf_counter()
    tokens = sum(float(weights.sum()) for _, _, weights in itertools.islice(batches, steps))
    return tokens / (time.perf_counter() - begun)


def waiting(recipe: Any, problem: Any, steps: int) -> tuple[float, float]:
    """The share of training that is spent waiting for batches, and the real target tokens a second of training."""
    model = assemble(recipe, problem).model
    data = problem.batches("train", tokens=4096)
    model.fit(data, steps_per_epoch=3, epochs=1, verbose=0)
    model.input_seconds = model.step_seconds = 0.0
    before = model.tokens_seen
    model.fit(data.at(3), steps_per_epoch=steps, epochs=1, verbose=0)
    whole = model.input_seconds + model.step_seconds
    return model.input_seconds / whole, (model.tokens_seen - before) / whole


def preparing(recipe: Any, contents: dict[str, bytes]) -> tuple[float, float]:
    """Seconds that a problem with a known vocabulary takes from raw text to records, and seconds that cores worked."""
    problem = problem_of(recipe)
    for vocabulary in problem.vocabularies().values():
        vocabulary.restore(contents)
    with tempfile.TemporaryDirectory() as folder:
        return timed(lambda: problem.prepare(folder))


def encoding(vocabulary: Any, texts: list[str]) -> tuple[float, float]:
    """The same two of sentencepiece for the same text on all cores."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_proto=next(iter(vocabulary.contents().values())))
    return timed(lambda: processor.encode(texts, num_threads=os.cpu_count() or 1))


def subword_text_encoder(texts: list[str]) -> float:
    """Seconds that one core works to encode texts with Tensor2Tensor's subwords, none of them met before."""
    trained = SubwordTextEncoder(size=8192)
    trained.train(texts)
    fresh = SubwordTextEncoder(size=8192)
    fresh.restore(trained.contents())
    return timed(lambda: fresh.encode_all(texts))[1]


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    begun, worked = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - worked


def main(path: str, steps: int) -> None:
    recipe = load("translation/multi30k_small", (f"problem.path={Path(path).resolve()}",))
    recipe.check()
    problem = problem_of(recipe)
    problem.prepare()
    alone = max(reading(problem, steps) for _ in range(TURNS))

    vocabulary = problem.vocabularies()["inputs"]
    texts = [text for split in problem.splits() for example in problem.examples(split) for text in example.values()]
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    found: dict[str, Any] = {"megabytes": round(megabytes, 1)}
    for name, measure in {
        "prepare": lambda: preparing(recipe, vocabulary.contents()),
        "sentencepiece alone": lambda: encoding(vocabulary, texts),
    }.items():
        wall, cores = (min(seconds) for seconds in zip(*(measure() for _ in range(TURNS)), strict=True))
        found[name] = {"MB a second": round(megabytes / wall, 1), "seconds of cores": round(cores, 2)}
    fewest = min(subword_text_encoder(texts) for _ in range(TURNS))
    record("prepare", **found, **{"Tensor2Tensor's subwords, MB a second": round(megabytes / fewest, 1)})

    share, rate = waiting(recipe, problem, steps)
    text = f"{alone:,.0f} target tokens/s, {alone / rate:.0f} times what that model takes; "
    text += f"the model waits for the reader {share:.2%} of its time"
    record("reader", {"result": text}, reader=round(alone), training=round(rate), waiting=round(share, 4))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50)
