"""Small raw files of the problems about pictures, sound and tags, so that their recipes can be tested in a moment."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np

GENRES = ("weblog", "email")
SENTENCES = (
    ("the/DET", "cat/NOUN", "sleeps/VERB"),
    ("dogs/NOUN", "run/VERB"),
    ("the/DET", "old/ADJ", "dog/NOUN", "ran/VERB"),
)


def raw_data(folder: Path, type_name: str) -> dict[str, Any]:
    """Writes what a problem reads and returns the options that point to it; nothing for another problem."""
    written = {
        "MNIST": _digits,
        "ImageFolder": _pictures,
        "SpokenDigits": _recordings,
        "ConlluTags": _treebank,
        "ConlluTagsAndLabel": _treebank,
    }.get(type_name)
    if written is None:
        return {}
    written(folder)
    return {"path": folder}


def _digits(folder: Path) -> None:
    for stem, count in (("train", 60), ("t10k", 10)):
        numbers = np.arange(count) % 10
        images = np.random.default_rng(0).integers(0, 256, (count, 28, 28))
        for kind, array in (("images-idx3", images), ("labels-idx1", numbers)):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            (folder / f"{stem}-{kind}-ubyte").write_bytes(header + array.astype(np.uint8).tobytes())


def _pictures(folder: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (folder / label).mkdir()
        for number in range(20):
            picture = Image.fromarray(rng.integers(0, 256, (30 + number, 40, 3)).astype(np.uint8))
            picture.save(folder / label / f"{number}.jpg")


def _recordings(folder: Path) -> None:
    import wave

    rng = np.random.default_rng(0)
    for digit in range(10):
        for number in (0, 5, 6, 7, 8):
            held = io.BytesIO()
            with wave.open(held, "wb") as file:
                file.setparams((1, 2, 8000, 0, "NONE", None))
                file.writeframes(rng.integers(-9999, 9999, 800 + 80 * number).astype("<i2").tobytes())
            (folder / f"{digit}_ann_{number}.wav").write_bytes(held.getvalue())


def _treebank(folder: Path) -> None:
    for split, count in (("train", 60), ("dev", 6), ("test", 6)):
        text = ""
        for number in range(count):
            text += f"# sent_id = {GENRES[number % 2]}-{number}\n"
            for place, pair in enumerate(SENTENCES[number % 3], 1):
                word, tag = pair.split("/")
                text += "\t".join([str(place), word, "_", tag, "_", "_", "0", "root", "_", "_"]) + "\n"
            text += "\n"
        (folder / f"en_small-ud-{split}.conllu").write_text(text, encoding="utf-8")
