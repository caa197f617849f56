"""MNIST: its real files, a folder that lacks some, and files of other sizes."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from kt2t.data.image.mnist import MNIST
from kt2t.errors import DataError
from kt2t.features import Image, Label


def write(folder, stem: str, images: np.ndarray, labels: np.ndarray) -> None:
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        (folder / f"{stem}-{kind}-ubyte").write_bytes(head + array.astype(np.uint8).tobytes())


def test_the_real_files(test_data):
    problem = MNIST(str(test_data / "mnist"))
    first = next(iter(problem.examples("test")))
    assert first["targets"] == "7" and first["inputs"].shape == (28, 28, 1)
    assert problem.features() == {"inputs": Image(28, 28, 1), "targets": Label(10)}
    assert len(problem.source_files()) == 4 and problem.splits() == ("train", "validation", "test")


def test_small_files_end_to_end(tmp_path):
    images = np.arange(30)[:, None, None] * np.ones((30, 28, 28))
    write(tmp_path, "train", images, np.arange(30) % 3)
    write(tmp_path, "t10k", images[:4], np.arange(4) % 3)
    problem = MNIST(str(tmp_path), names=["shirt", "shoe", "bag"], validation_examples=4)
    problem.prepare(tmp_path / "data")
    sample = problem.sample(4, "test")
    assert sample["inputs"].dtype == np.uint8 and sample["inputs"][:, 0, 0, 0].tolist() == [0, 1, 2, 3]
    assert sample["targets"].tolist() == [0, 1, 2, 0]
    assert [problem.decode("targets", one) for one in sample["targets"]] == ["shirt", "shoe", "bag", "shirt"]
    assert [line["targets"] for line in problem.references("test")] == ["shirt", "shoe", "bag", "shirt"]
    assert problem.sample(9)["inputs"][:, 0, 0, 0].tolist() == [26, 27, 28, 29]
    assert problem.sample(99, "train")["inputs"][:, 0, 0, 0].tolist() == list(range(26))
    with pytest.raises(DataError, match="problem.validation_examples: 30 of 30 training pictures"):
        next(iter(MNIST(str(tmp_path), validation_examples=30).examples("train")))


def test_what_is_wrong_is_named(tmp_path):
    with pytest.raises(DataError, match="problem.path: '.*nowhere' does not exist. It should hold the four files"):
        next(iter(MNIST(str(tmp_path / "nowhere")).examples("train")))
    write(tmp_path, "train", np.zeros((2, 28, 28)), np.array([0, 1]))
    with pytest.raises(DataError, match="lacks t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte"):
        MNIST(str(tmp_path)).source_files()
    write(tmp_path, "t10k", np.zeros((2, 32, 32)), np.array([0, 9]))
    with pytest.raises(DataError, match="holds pictures of 32 × 32; MNIST's are 28 × 28"):
        next(iter(MNIST(str(tmp_path)).examples("test")))
    with pytest.raises(DataError, match="label 1 is 9; the classes are 0 to 1"):
        next(iter(MNIST(str(tmp_path), names=["a", "b"]).examples("test")))
