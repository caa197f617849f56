"""Damages pictures, and looks at what `prepare` makes of them. See `damages.py` for what counts as good.

cd tests && python -m campaigns.damaged_pictures --seed 1 --count 500
"""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
from PIL import Image

from kt2t.data.image.image_folder import ImageFolder
from kt2t.data.sources.pictures import decode_picture

from . import damages
from .damages import cut, flipped, unknowable

KINDS = {}


def pixels(chance: random.Random) -> np.ndarray:
    """A picture of waves and some noise, of 8 to 60 pixels a side."""
    height, width = chance.randint(8, 60), chance.randint(8, 60)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x * chance.uniform(0.05, 0.5) + y * chance.uniform(0.05, 0.5)) for _ in range(3)]
    noise = np.random.default_rng(chance.getrandbits(32)).normal(0, 6, (height, width, 3))
    return np.clip(np.stack(waves, axis=2) * 110 + 128 + noise, 0, 255).astype(np.uint8)


def encoded(picture: np.ndarray | Image.Image, format: str, **options) -> bytes:
    held = io.BytesIO()
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    picture.save(held, format, **options)
    return held.getvalue()


def jpeg(chance: random.Random, picture: np.ndarray | Image.Image) -> bytes:
    options = chance.choice([{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"optimize": True}])
    return encoded(picture, "JPEG", quality=chance.randint(30, 95), **options)


def folder_with(data: bytes, name: str, chance: random.Random, folder: Path) -> ImageFolder:
    """Two classes of two whole pictures each, and one more picture."""
    for label in ("cat", "dog"):
        (folder / "raw" / "train" / label).mkdir(parents=True)
        for number in range(2):
            (folder / "raw" / "train" / label / f"{number}.png").write_bytes(encoded(pixels(chance), "PNG"))
    (folder / "raw" / "validation" / "cat").mkdir(parents=True)
    (folder / "raw" / "validation" / "dog").mkdir()
    for label in ("cat", "dog"):
        (folder / "raw" / "validation" / label / "9.png").write_bytes(encoded(pixels(chance), "PNG"))
    (folder / "raw" / "train" / "dog" / name).write_bytes(data)
    return ImageFolder(str(folder / "raw"), height=8, width=8)


def answer(data: bytes, whole: np.ndarray, name: str, chance: random.Random, folder: Path) -> str:
    problem = folder_with(data, name, chance, folder)
    if damages.prepared(problem, folder, f"dog/{name}"):
        return "named"
    records = problem.prepared.records("train")
    assert len(records) == 5, "a picture is lost"
    assert records.read([4])[0]["inputs"].tobytes() == data  # the name sorts last
    assert problem.sample(2)["inputs"].shape == (2, 8, 8, 3)
    found = decode_picture(data)
    return "same" if found.shape == whole.shape and (found == whole).all() else "unknowable"


def kind(function):
    KINDS[function.__name__.replace("_", " ")] = function
    return function


@kind
def jpeg_cut_short(chance: random.Random, folder: Path) -> str:
    data = jpeg(chance, pixels(chance))
    return answer(cut(data, chance), decode_picture(data), "x.jpg", chance, folder)


@kind
@unknowable
def jpeg_with_flipped_bits(chance: random.Random, folder: Path) -> str:
    data = jpeg(chance, pixels(chance))
    return answer(flipped(data, chance), decode_picture(data), "x.jpg", chance, folder)


@kind
def png_cut_short(chance: random.Random, folder: Path) -> str:
    picture = pixels(chance)
    return answer(cut(encoded(picture, "PNG"), chance), picture, "x.png", chance, folder)


@kind
def png_with_flipped_bits(chance: random.Random, folder: Path) -> str:
    picture = pixels(chance)
    return answer(flipped(encoded(picture, "PNG"), chance), picture, "x.png", chance, folder)


@kind
def png_named_jpg(chance: random.Random, folder: Path) -> str:
    picture = pixels(chance)
    problem = folder_with(encoded(picture, "PNG"), "x.jpg", chance, folder)
    problem.prepare(folder / "data")
    assert problem.prepared.manifest["splits"]["train"]["counts"]["named as another format"] == 1
    stored = problem.prepared.records("train").read([4])[0]["inputs"].tobytes()
    return "same" if (decode_picture(stored) == picture).all() else "other pixels"


@kind
def cmyk(chance: random.Random, folder: Path) -> str:
    picture = Image.fromarray(pixels(chance)).convert("CMYK")
    data = encoded(picture, "JPEG", quality=100, subsampling=0)
    ink = 255.0 - np.asarray(picture, float)
    near = np.abs(decode_picture(data) - ink[:, :, :3] * ink[:, :, 3:] / 255).mean() < 4
    return answer(data, decode_picture(data), "x.jpg", chance, folder) if near else "other colours"


@kind
def sixteen_bits(chance: random.Random, folder: Path) -> str:
    deep = np.random.default_rng(chance.getrandbits(32)).integers(0, 65536, pixels(chance).shape[:2]).astype(np.uint16)
    return answer(encoded(deep, "PNG"), np.repeat((deep >> 8)[:, :, None], 3, axis=2), "x.png", chance, folder)


@kind
def sixteen_bits_with_flipped_bits(chance: random.Random, folder: Path) -> str:
    deep = np.random.default_rng(chance.getrandbits(32)).integers(0, 65536, (20, 20)).astype(np.uint16)
    whole = np.repeat((deep >> 8)[:, :, None], 3, axis=2)
    return answer(flipped(encoded(deep, "PNG"), chance), whole, "x.png", chance, folder)


@kind
def empty_class_folder(chance: random.Random, folder: Path) -> str:
    problem = folder_with(encoded(pixels(chance), "PNG"), "x.png", chance, folder)
    split = chance.choice(["train", "validation"])
    (folder / "raw" / split / "empty").mkdir()
    return damages.prepared(problem, folder, f"{split}/empty")


@kind
def only_one_class(chance: random.Random, folder: Path) -> str:
    problem = folder_with(encoded(pixels(chance), "PNG"), "x.png", chance, folder)
    for file in (folder / "raw" / "train" / "cat").iterdir():
        file.unlink()
    (folder / "raw" / "train" / "cat").rmdir()
    return damages.prepared(problem, folder, "raw'")


if __name__ == "__main__":
    damages.main(KINDS)
