"""Pictures: decoded to the pixels that were encoded, whatever the format; and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kt2t.data.sources.contents import Contents
from kt2t.data.sources.pictures import check_picture, decode_picture, labelled_pictures, picture_facts
from kt2t.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)


def encoded(pixels: np.ndarray | Image.Image, format: str = "PNG", **options) -> bytes:
    held = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(held, format, **options)
    return held.getvalue()


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_give_the_pixels_back(format):
    found = decode_picture(encoded(PIXELS, format))
    np.testing.assert_array_equal(found, PIXELS)
    assert found.dtype == np.uint8


def test_channels():
    grey = decode_picture(encoded(PIXELS), channels=1)
    # ITU-R 601-2, as Pillow documents it: L = 0.299 R + 0.587 G + 0.114 B
    np.testing.assert_allclose(grey[:, :, 0], PIXELS @ np.array([0.299, 0.587, 0.114]), atol=0.51)
    np.testing.assert_array_equal(decode_picture(encoded(PIXELS[:, :, 0])), PIXELS[:, :, :1].repeat(3, axis=2))


def test_transparency_is_left_out_and_a_palette_looked_up():
    seen_through = np.concatenate([PIXELS, np.zeros((9, 7, 1), np.uint8)], axis=2)
    np.testing.assert_array_equal(decode_picture(encoded(seen_through)), PIXELS)
    palette = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), mode="P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    assert decode_picture(encoded(palette)).tolist() == [[[10, 20, 30], [40, 50, 60]], [[40, 50, 60], [10, 20, 30]]]


def test_of_16_bits_the_upper_8_are_kept():
    deep = np.array([[0, 255, 256], [511, 65535, 32768]], np.uint16)
    found = decode_picture(encoded(deep), channels=1)
    np.testing.assert_array_equal(found[:, :, 0], [[0, 0, 1], [1, 255, 128]])
    assert picture_facts(encoded(deep)).mode == "I;16"


def test_cmyk_becomes_rgb():
    flat = np.zeros((16, 16, 4), np.uint8)
    flat[:] = (255, 0, 0, 0)  # cyan ink alone: no red
    found = decode_picture(encoded(Image.fromarray(flat, mode="CMYK"), "JPEG", quality=100))
    np.testing.assert_allclose(found.reshape(-1, 3), [[0, 255, 255]] * 256, atol=3)


def test_a_picture_is_turned_as_its_orientation_says():
    turned = Image.Exif()
    turned[0x0112] = 6  # the first row is the right side: a quarter turn clockwise shows it upright
    smooth = np.linspace(0, 255, 16 * 8).reshape(16, 8).astype(np.uint8)
    found = decode_picture(encoded(smooth, "JPEG", quality=100, exif=turned.tobytes()), channels=1)
    np.testing.assert_allclose(found[:, :, 0], np.rot90(smooth, -1), atol=4)


def test_a_picture_is_read_as_what_it_is_whatever_its_name():
    facts = picture_facts(Contents.at("cat.jpg", encoded(PIXELS)))
    assert (facts.format, facts.mode, facts.height, facts.width, facts.is_misnamed) == ("PNG", "RGB", 9, 7, True)
    assert not picture_facts(Contents.at("cat.JPEG", encoded(PIXELS, "JPEG"))).is_misnamed


def test_what_is_refused_is_named():
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    real = encoded(np.ones((2, 2), np.float32), "TIFF")
    wide = bytearray(encoded(PIXELS, "BMP"))
    wide[18:26] = (100_000).to_bytes(4, "little") * 2
    for data, told in [
        (b"", "'a.png' is empty"),
        (b"hello" * 9, "'a.png' cannot be read as a picture: it is none of JPEG, PNG"),
        (b"<svg/>", "'a.png' cannot be read as a picture"),
        (moving, "'a.png' is animated: it has 2 frames"),
        (real, "'a.png' has pixels of the kind F"),
        (bytes(wide), "'a.png' (has 100,000 × 100,000 pixels|cannot be read)"),
    ]:
        with pytest.raises(DataError, match=told):
            decode_picture(Contents.at("a.png", data))


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"optimize": True}, {"quality": 100, "subsampling": 0}],
)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_whole_jpegs_of_every_kind_pass_the_check(options, mode):
    for size in ((1, 1), (9, 7), (40, 33)):
        check_picture(encoded(Image.fromarray(PIXELS).resize(size).convert(mode), "JPEG", **options))


def test_the_check_takes_what_lies_behind_a_jpeg():
    check_picture(encoded(PIXELS, "JPEG") + b"\0 more of the camera")


def test_the_check_names_the_file():
    data = bytearray(encoded(PIXELS))
    data[-20] ^= 1
    with pytest.raises(DataError, match="'a.png' is a damaged PNG: the checksum of the chunk at byte"):
        check_picture(Contents.at("a.png", bytes(data)))


def folder(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def test_classes_are_folders_or_names(tmp_path):
    root = folder(tmp_path / "a", "dog/2.png", "cat/1.jpg", "dog/old/3.png", "dog/.DS_Store")
    assert labelled_pictures(root) == (
        [("cat/1.jpg", "cat"), ("dog/2.png", "dog"), ("dog/old/3.png", "dog")],
        ["cat", "dog"],
    )
    root = folder(tmp_path / "b", "n02_tench_1.JPEG", "n01_hen.JPEG")
    assert labelled_pictures(root, "name") == ([("n01_hen.JPEG", "n01"), ("n02_tench_1.JPEG", "n02")], ["n01", "n02"])


@pytest.mark.parametrize(
    "names, told",
    [
        ([], "has no pictures"),
        (["cat/1.png", "cat/2.png"], "has only one class, 'cat'"),
        (["cat/1.png", "dog/1.txt"], "holds 1 files that are not named as pictures: dog/1.txt"),
        (["cat/1.png", "2.png"], "'.*/2.png' stands in no class folder"),
        (["cat/1.png", "dog/1.png", "cow/.keep"], "the class folder '.*/cow' has no pictures"),
    ],
)
def test_folders_that_are_no_classes(tmp_path, names, told):
    tmp_path.joinpath("root").mkdir()
    with pytest.raises(DataError, match=told):
        labelled_pictures(folder(tmp_path / "root", *names))
