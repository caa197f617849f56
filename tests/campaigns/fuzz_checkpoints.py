"""Damages checkpoints in many ways and restores each: refused by name, or to the bit what was saved, and never else.

    python -m tests.campaigns.fuzz_checkpoints [--damages 1000] [--seed 1]

A run's folder holds `step-1`, `step-2` and `step-3`. One damage is done to the newest; then the newest that is whole is
asked for and restored. Either it is the newest, and every array is what it was, or it is the one before, to the bit, and
one sentence in the log has named the damaged checkpoint and the file.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kt2t.errors import RunError
from kt2t.training import checkpoints, manifest
from kt2t.training.trainer import Trainer

FILES = ("model.safetensors", "optimizer.safetensors", "manifest.json")


class Small(Trainer):
    """Two dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = keras.layers.Dense(4), keras.layers.Dense(2)
        self.hidden.build((None, 3))
        self.out.build((None, 4))
        self.built = True

    def call(self, x: Any) -> Any:
        return self.out(self.hidden(x))


def truncated(rng: random.Random, newest: Path) -> str:
    """A file cut at any offset, to nothing at the least."""
    file = newest / rng.choice(FILES)
    size = rng.randrange(file.stat().st_size)
    file.write_bytes(file.read_bytes()[:size])
    return file.name


def flipped(rng: random.Random, newest: Path) -> str:
    """From one to eight bits anywhere in a file."""
    file = newest / rng.choice(FILES)
    content = bytearray(file.read_bytes())
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)
    return file.name


def swapped(rng: random.Random, newest: Path) -> str:
    """Two stretches of a file in each other's place."""
    file = newest / rng.choice(FILES)
    content = bytearray(file.read_bytes())
    length = rng.randint(1, 16)
    a, b = sorted(rng.sample(range(0, len(content) - length, length), 2))
    content[a : a + length], content[b : b + length] = content[b : b + length], content[a : a + length]
    file.write_bytes(content)
    return file.name


def grown(rng: random.Random, newest: Path) -> str:
    """Bytes more at a file's end."""
    file = newest / rng.choice(FILES)
    file.write_bytes(file.read_bytes() + rng.randbytes(rng.randint(1, 64)))
    return file.name


def deleted(rng: random.Random, newest: Path) -> str:
    """A file gone, or a folder or a link to nothing in its place."""
    file = newest / rng.choice(FILES)
    file.unlink()
    way = rng.randrange(3)
    if way == 1:
        file.mkdir()
    elif way == 2:
        file.symlink_to("nowhere")
    return file.name


def exchanged(rng: random.Random, newest: Path) -> str:
    """A file, or everything, of another step."""
    other = newest.with_name(f"step-{rng.choice((1, 2))}")
    names = FILES if rng.random() < 0.3 else (rng.choice(FILES),)
    for name in names:
        shutil.copy(other / name, newest / name)
    return names[-1]


def edited(rng: random.Random, newest: Path) -> str:
    """One fact of the manifest changed, its seal left as it was."""
    return _with_facts(newest, _other_facts(rng), sealed=False)


def sealed_again(rng: random.Random, newest: Path) -> str:
    """One fact of the manifest changed and the manifest sealed, as somebody can who knows how."""
    return _with_facts(newest, _other_facts(rng), sealed=True)


def extra_file(rng: random.Random, newest: Path) -> str:
    """A file more in the folder, which nobody asked for."""
    name = rng.choice(("notes.txt", "more.safetensors", ".manifest.json.tmp-1", "model.safetensors.bak", "a.pkl"))
    (newest / name).write_bytes(rng.randbytes(100))
    return name


DAMAGES: tuple[Callable[[random.Random, Path], str], ...] = (
    truncated, flipped, swapped, grown, deleted, exchanged, edited, sealed_again, extra_file,
)  # fmt: skip


def _other_facts(rng: random.Random) -> Callable[[dict[str, Any]], None]:
    file = rng.choice(FILES[:2])

    def arrays(said: dict[str, Any]) -> dict[str, Any]:
        return said["arrays"][file]

    def some(said: dict[str, Any]) -> str:
        return rng.choice(sorted(arrays(said)))

    return rng.choice(
        [
            lambda said: said.update(step=rng.choice((0, 1, 2, 4, -1, "3", None, 3.0))),
            lambda said: said.update(optimizer=rng.choice((None, "SGD", 7))),
            lambda said: said.update(format=rng.choice((0, 2, "1", None))),
            lambda said: said.update(files={}),
            lambda said: said.update(files=[1]),
            lambda said: said.update(more=1),
            lambda said: said.pop(rng.choice(sorted(said))),
            lambda said: said["files"].pop(file),
            lambda said: said["files"][file].update(size=rng.choice((0, -1, "8", None))),
            lambda said: said["files"][file].update(sha256="0" * 64),
            lambda said: said["files"].update({"../step-2/" + file: said["files"].pop(file)}),
            lambda said: said.update(arrays={}),
            lambda said: said["arrays"].pop(file),
            lambda said: arrays(said).pop(some(said)),
            lambda said: arrays(said)[some(said)].update(shape=[9, 9]),
            lambda said: arrays(said)[some(said)].update(dtype="float16"),
            lambda said: arrays(said).update(invented={"shape": [], "dtype": "float32"}),
            lambda said: arrays(said).update({some(said): None}),
        ]
    )


def _with_facts(newest: Path, change: Callable[[dict[str, Any]], Any], sealed: bool) -> str:
    said = json.loads((newest / "manifest.json").read_text(encoding="utf-8"))
    seal = said.pop("seal")
    change(said)
    seal = manifest._seal(said) if sealed else seal
    (newest / "manifest.json").write_text(json.dumps({**said, "seal": seal}), encoding="utf-8")
    return "manifest.json"


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def fuzz(count: int, seed: int = 1) -> Counter[str]:
    """Does `count` damages; how many ended in which way.

    Raises:
        AssertionError: Something else was loaded than was saved, or nothing said why not; the damage is named.
    """
    rng = random.Random(seed)
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as place:
        whole = Path(place) / "whole"
        model, truths = _trained(whole)
        for number in range(count):
            folder = Path(place) / f"{number}"
            shutil.copytree(whole, folder)
            kind = DAMAGES[number % len(DAMAGES)]
            name = kind(rng, folder / "step-3")
            try:
                found[f"{kind.__name__}: {_outcome(folder, model, truths, name)}"] += 1
            except Exception as error:
                raise AssertionError(f"damage {number} ({kind.__name__} of {name}, seed {seed}): {error!r}") from error
            shutil.rmtree(folder)
    return found


def _trained(folder: Path) -> tuple[Any, dict[int, list[np.ndarray]]]:
    model, truths = Small(), {}
    model.compile(keras.optimizers.Adam(0.1), "mse")
    for step in (1, 2, 3):
        model.train_on_batch(np.ones((2, 3), "float32"), np.full((2, 2), step, "float32"))
        checkpoints.save(folder, model, step, recipe={"train": {"steps": 3}}, extra={"metrics": {"loss": 0.5}})
        truths[step] = _state(model)
    return model, truths


def _state(model: Any) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in (*model.weights, *model.optimizer.variables)]


def _outcome(folder: Path, model: Any, truths: dict[int, list[np.ndarray]], name: str) -> str:
    heard, logger = _Heard(), logging.getLogger("kt2t")
    logger.addHandler(heard)
    try:
        newest = checkpoints.newest(folder)
        if newest is None:
            raise RuntimeError("the one before was not taken either")
        before = _state(model)
        try:
            step = checkpoints.restore(newest, model).step
        except RunError as error:
            if "step-3" not in str(error):
                raise RuntimeError(f"refused without the name: {error}") from error
            if not _equal(before, _state(model)):
                raise RuntimeError("refused, and yet the model was changed") from error
            return "refused"
    finally:
        logger.removeHandler(heard)
    if not _equal(truths[step], _state(model)) or newest.name != f"step-{step}":
        raise RuntimeError(f"step {step} of {newest.name} was loaded, and is not what was saved")
    if step == 3:
        return "loaded, every bit as saved"
    (said,) = heard.said
    files = (*FILES, name) if name == "manifest.json" else (name, "manifest.json")
    if "step-3" not in said or "Taking the one before." not in said or not any(file in said for file in files):
        raise RuntimeError(f"passed over without the name: {said}")
    return "the one before was taken, and the file named"


def _equal(first: list[np.ndarray], again: list[np.ndarray]) -> bool:
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    logging.getLogger("kt2t").propagate = False
    begin = time.perf_counter()
    for kind, count in sorted(fuzz(asked.damages, asked.seed).items()):
        print(f"{count:5}  {kind}")
    print(f"{asked.damages} damages in {time.perf_counter() - begin:.0f} s; none was loaded wrong")


if __name__ == "__main__":
    main()
