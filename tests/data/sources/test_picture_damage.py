"""What can be known of damage: PNG always, a JPEG cut anywhere, and part of its flipped bits."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from kt2t.data.sources.picture_damage import jpeg_damage, png_damage

y, x = np.mgrid[:48, :40]
PIXELS = np.stack([y * 5, x * 6, (x * y) % 256], axis=2).astype(np.uint8)


def encoded(format: str, **options) -> bytes:
    held = io.BytesIO()
    Image.fromarray(PIXELS).save(held, format, **options)
    return held.getvalue()


def damage_of(data: bytes) -> str | None:
    return jpeg_damage(data, Image.open(io.BytesIO(data)))


def test_every_flipped_bit_and_every_cut_of_a_png_is_seen():
    data = encoded("PNG")
    assert png_damage(data) is None
    for place in range(8, len(data), 11):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        assert png_damage(bytes(flipped)), place
        assert png_damage(data[:place]), place


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_every_cut_of_a_jpeg_is_seen(options):
    data = encoded("JPEG", **options)
    assert damage_of(data) is None
    start = data.index(b"\xff\xda") + 14  # Pillow itself refuses a header that is cut
    assert all(damage_of(data[:length]) for length in {*range(start, len(data), 9), len(data) - 1})


def test_coded_data_that_is_too_short_or_too_long_is_seen():
    data = encoded("JPEG")
    end = data.rindex(b"\xff\xd9")
    start = data.index(b"\xff\xda") + 20
    assert damage_of(data[: end - 40] + data[end:]) == "its coded data ends before its last pixel"
    assert damage_of(data[:end] + b"\x12\x34" * 20 + data[end:]) == "its coded data is longer than its pixels"
    assert damage_of(data[:start] + b"\xff\x23" + data[start + 2 :]).endswith("0x23, which cannot stand there")
    assert "restart marker" in damage_of(data[:start] + b"\xff\xd0" + data[start + 2 :])


def test_restart_markers_must_follow():
    data = bytearray(encoded("JPEG", restart_marker_blocks=2))
    place = data.index(b"\xff\xd2")
    assert damage_of(bytes(data)) is None
    data[place + 1] = 0xD3
    assert damage_of(bytes(data)) == f"byte {place} holds a restart marker, 0xd3, that does not follow"
