"""Folders and archives of pictures end to end: splits, storage, cuts, counts and faults."""

from __future__ import annotations

import io
import logging
import tarfile

import numpy as np
import pytest
from PIL import Image

from kt2t.data.draw import Draw
from kt2t.data.image.image_folder import ImageFolder
from kt2t.errors import DataError
from kt2t.features import Encoded, Label
from kt2t.features import Image as Picture

COLOURS = {"blue": (0, 0, 250), "red": (250, 0, 0)}


def picture(colour: str, number: int, format: str = "PNG") -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (20 + number, 30), COLOURS[colour]).save(held, format)
    return held.getvalue()


def fill(root, count: int = 6, classes=tuple(COLOURS)) -> None:
    for colour in classes:
        (root / colour).mkdir(parents=True)
        for number in range(count):
            (root / colour / f"{number}.png").write_bytes(picture(colour, number))


def problem_of(path, **options) -> ImageFolder:
    return ImageFolder(str(path), height=8, width=12, **options)


def test_splits_by_folders(tmp_path):
    fill(tmp_path / "raw" / "train")
    fill(tmp_path / "raw" / "test", 1)
    problem = problem_of(tmp_path / "raw")
    assert problem.splits() == ("train", "test")
    problem.prepare(tmp_path / "data")
    assert problem.features() == {"inputs": Picture(8, 12, 3), "targets": Label(2)}
    assert problem.stored() == {"inputs": Encoded(), "targets": Label(2)}
    sample = problem.sample(2, "test")
    assert sample["inputs"].shape == (2, 8, 12, 3) and sample["inputs"][:, 4, 6].tolist() == [[0, 0, 250], [250, 0, 0]]
    assert [problem.decode("targets", one) for one in sample["targets"]] == ["blue", "red"]
    record = problem.prepared.records("test").read([1])[0]
    assert record["inputs"].tobytes() == picture("red", 0)  # files are stored as they are


def test_an_archive_with_classes_in_names_is_held_out_by_content(tmp_path):
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as archive:
        for colour in COLOURS:
            for number in range(30):
                data = picture(colour, number, "JPEG")
                member = tarfile.TarInfo(f"{colour}_{number}.JPEG")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    problem = problem_of(tmp_path / "all.tar.gz", class_from="name")
    problem.prepare(tmp_path / "data")
    notes = problem.prepared.manifest["splits"]
    assert (notes["train"]["records"], notes["validation"]["records"]) == (59, 1)
    assert notes["train"]["counts"] == {"JPEG RGB": 59, "named as another format": 0}


def test_an_archive_with_splits_in_it(tmp_path):
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        for split, count in (("train", 3), ("test", 1)):
            for colour in COLOURS:
                for number in range(count):
                    member = tarfile.TarInfo(f"{split}/{colour}/{number}.png")
                    data = picture(colour, number)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    problem = problem_of(tmp_path / "all.tar")
    problem.prepare(tmp_path / "data")
    notes = problem.prepared.manifest["splits"]
    assert [notes[split]["records"] for split in ("train", "validation", "test")] == [5, 1, 2]
    assert problem.vocabularies()["targets"].names == ["blue", "red"]


def test_cuts_follow_from_the_draw_alone(tmp_path):
    rng = np.random.default_rng(0)
    held = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (40, 40, 3)).astype(np.uint8)).save(held, "PNG")
    example = {"inputs": np.frombuffer(held.getvalue(), np.uint8), "targets": np.int32(1)}
    problem = problem_of(tmp_path)
    one, same, other, epoch = (
        problem.transform("train", example, draw)["inputs"]
        for draw in (Draw(1, 0, 5), Draw(1, 0, 5), Draw(1, 0, 6), Draw(1, 1, 5))
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any() and (one != epoch).any() and one.shape == (8, 12, 3)
    still = problem.transform("validation", example, None)["inputs"]
    np.testing.assert_array_equal(still, problem.transform("train", example, None)["inputs"])


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_batches_are_the_same_for_any_number_of_threads(tmp_path, threads, monkeypatch):
    fill(tmp_path / "raw")
    problem = problem_of(tmp_path / "raw")
    problem.prepare(tmp_path / "data")
    records = problem.prepared.records("train")
    batches = problem.batches("train", rows=4, seed=3)
    batches.threads = threads
    stream = iter(batches)
    for step in range(5):
        features, targets, _ = next(stream)
        plan = batches.plan.batch(step)
        for row, index in enumerate(plan.indices.reshape(-1).tolist()):
            if index < 0:  # a row of weight zero, which fills up the last batch
                continue
            record = records.read([index])[0]
            draw = Draw(3, step // len(batches.plan), index)
            wanted = problem.transform("train", record, draw)
            np.testing.assert_array_equal(features["inputs"][row], wanted["inputs"])
            assert targets[row] == record["targets"]


def test_a_png_named_jpg_is_read_as_what_it_is_said_once_and_counted(tmp_path, caplog):
    fill(tmp_path / "raw")
    for number in range(3):
        (tmp_path / "raw" / "red" / f"x{number}.jpg").write_bytes(picture("red", 40 + number))
    problem = problem_of(tmp_path / "raw")
    with caplog.at_level(logging.WARNING, "kt2t"):
        problem.prepare(tmp_path / "data")
    counts = [problem.prepared.manifest["splits"][split]["counts"] for split in ("train", "validation")]
    assert sum(count["named as another format"] for count in counts) == 3
    assert caplog.text.count("is a PNG and is read as one") == 1


def test_damaged_pictures_are_named_or_left_out_where_the_recipe_says_so(tmp_path):
    fill(tmp_path / "raw" / "train")
    fill(tmp_path / "raw" / "validation", 1)
    bad = tmp_path / "raw" / "train" / "red" / "4.png"
    bad.write_bytes(bad.read_bytes()[:-20])
    with pytest.raises(DataError, match=f"'{bad}' is a damaged PNG: it ends"):
        problem_of(tmp_path / "raw").prepare(tmp_path / "data")
    assert not [path for path in (tmp_path / "data").iterdir() if path.is_dir()]
    problem = problem_of(tmp_path / "raw", skip=1)
    problem.prepare(tmp_path / "data")
    assert problem.prepared.manifest["splits"]["train"]["dropped"] == {"damage": 1}
    assert len(problem.prepared.records("train")) == 11


def test_classes_that_training_lacks_and_options_out_of_range(tmp_path):
    fill(tmp_path / "raw" / "train")
    fill(tmp_path / "raw" / "test", 1, ["blue", "red"])
    (tmp_path / "raw" / "test" / "red").rename(tmp_path / "raw" / "test" / "green")
    with pytest.raises(DataError, match="'.*/raw' has pictures of the class 'green' in test, which training does not have"):
        problem_of(tmp_path / "raw").prepare(tmp_path / "data")
    with pytest.raises(DataError, match="'.*nowhere' does not exist"):
        problem_of(tmp_path / "nowhere").splits()
    for options, told in [({"min_area": 0.0}, "min_area: 0.0 is not a share"), ({"skip": -1}, "skip: -1 is negative")]:
        with pytest.raises(ValueError, match=told):
            problem_of(tmp_path, **options)
