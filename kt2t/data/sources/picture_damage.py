"""Damage of pictures that Pillow passes over: checksums of PNG, and what a JPEG's decoder only warns of."""

from __future__ import annotations

import struct
import zlib
from typing import Any

_PNG_START = b"\x89PNG\r\n\x1a\n"
_SEGMENTS = {*range(0xC0, 0xF0), 0xFE} - {0xC8, *range(0xD0, 0xDA)}  # markers with a length behind them
_START_OF_SCAN, _RESTART_INTERVAL, _END = 0xDA, 0xDD, 0xD9
_ONE_PASS = {0xC0, 0xC1}  # Huffman coded, every coefficient at once
LAST = 16  # bytes of coded data that a decoder cannot do without
MOST_AHEAD = 16  # bytes that it reads before it needs them


def png_damage(data: bytes) -> str | None:
    """Describes damage in the chunks of a PNG by their checksums, which Pillow does not compare for pixels; None if intact."""
    place = len(_PNG_START)
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 8 + length
        if end + 4 > len(data):
            return f"it ends within a chunk, after {len(data)} bytes"
        if zlib.crc32(memoryview(data)[place + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            return f"the checksum of the chunk at byte {place} does not match"
        if kind == b"IEND":
            return None
        place = end + 4
    return f"it ends before its end chunk, after {len(data)} bytes"


def jpeg_damage(data: bytes, picture: Any) -> str | None:
    """What is wrong with a JPEG, if it can be known.

    Its markers must follow each other as the format says. Where all coefficients stand in one pass, the coded data must
    also last for just the pixels there are: bits that flipped often make it too short or too long, which libjpeg fills up
    with grey or passes over. Flipped bits that leave the length as it is change pixels and nothing tells of it.

    Args:
        data: The bytes of the file.
        picture: Pillow's picture of them, not yet decoded.
    """
    place, restarts, scans, has_restarts, frame = 2, 0, 0, False, 0
    while True:
        place = data.find(b"\xff", place)
        if place < 0 or place + 1 >= len(data):
            return f"it has no end marker in its {len(data)} bytes"
        marker = data[place + 1]
        if marker in (0x00, 0xFF):
            place += 2 if marker == 0x00 else 1
        elif 0xD0 <= marker <= 0xD7:
            if not has_restarts or marker != 0xD0 + restarts % 8:
                return f"byte {place} holds a restart marker, 0x{marker:02x}, that does not follow"
            restarts += 1
            place += 2
        elif marker == _END:
            if not scans:
                return "it ends before its picture begins"
            return _wrong_length(data, place, picture) if frame in _ONE_PASS and scans == 1 else None
        elif marker not in _SEGMENTS:
            return f"byte {place} holds the marker 0x{marker:02x}, which cannot stand there"
        else:
            length = int.from_bytes(data[place + 2 : place + 4], "big")
            if marker == _START_OF_SCAN:
                scans, restarts = scans + 1, 0
            elif marker == _RESTART_INTERVAL:
                has_restarts = any(data[place + 4 : place + 6])
            elif marker < 0xD0 and marker not in (0xC4, 0xCC):
                frame = marker
            place += 2 + length


def _wrong_length(data: bytes, end: int, picture: Any) -> str | None:
    """Decodes the data before the end marker piece by piece and sees after which piece the picture is complete."""
    from PIL import Image

    name, extents, _, options = picture.tile[0]
    picture.load_prepare()
    decoder = Image._getdecoder(picture.mode, name, options, picture.decoderconfig)
    decoder.setimage(picture.im, extents)
    while end > 2 and data[end - 1] == 0xFF:  # fill bytes
        end -= 1
    taken, status = decoder.decode(data[: end - LAST])
    if taken < 0:
        return "its coded data is longer than its pixels" if status >= 0 else "its coded data cannot be decoded"
    rest = data[taken : end - LAST] + data[end - LAST : end]
    for _ in range(MOST_AHEAD // 4 + 1):
        taken, status = decoder.decode(rest)
        if taken < 0:
            return None if status >= 0 else "its coded data cannot be decoded"
        rest = rest[taken:] + bytes(4)
    return "its coded data ends before its last pixel"
