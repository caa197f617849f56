"""Lines from files, pipes and terminals, as they come."""

from __future__ import annotations

import gzip
import io
import os
import random
import threading

import pytest

from kt2t.errors import DataError
from kt2t.run.lines import BLOCK, Lines


def everything(data, most=7, name="x"):
    lines, found = Lines(io.BytesIO(data), name, whole=True), []
    while chunk := lines.chunk(most):
        assert len(chunk) <= most
        found += chunk
    return found


def test_lines_of_bytes():
    assert everything(b"a\r\n\nb") == ["a", "", "b"]
    assert everything(b"a\n") == ["a"] and everything(b"") == [] and everything(b"\n\n") == ["", ""]
    assert everything(b"\xef\xbb\xbfa\nb") == ["a", "b"]


def test_lines_of_any_length_across_blocks_plain_or_gzip():
    chance = random.Random(1)
    texts = ["ü" * chance.choice([0, 1, 5, BLOCK // 2, BLOCK]) for _ in range(60)]
    data = "\n".join(texts).encode()
    assert everything(data) == texts and everything(gzip.compress(data), most=1) == texts


def test_a_bad_line_comes_after_those_before_it():
    lines = Lines(io.BytesIO(b"a\nb\n\xff\nc\n"), "x", whole=True)
    assert lines.chunk(10) == ["a", "b"]
    with pytest.raises(DataError, match=r"^x:3: byte 1 \(0xff\) is not UTF-8"):
        lines.chunk(10)
    with pytest.raises(DataError, match="x:1: byte 2 is NUL"):
        everything(b"a\0\n")
    with pytest.raises(DataError, match="x:1: a line is longer than 1,000,000 bytes"):
        everything(b"a" * 3_000_000)


def test_a_damaged_gzip_stream_is_named_after_what_could_be_read():
    data = gzip.compress(b"a line\n" * 9 + os.urandom(200_000).hex().encode())
    lines = Lines(io.BytesIO(data[: len(data) // 2]), "a.gz", whole=True)
    assert len(lines.chunk(9)) == 9
    with pytest.raises(DataError, match="'a.gz' is a damaged gzip file"):
        while lines.chunk(9):
            pass


def test_a_pipe_gives_what_has_arrived():
    read, write = os.pipe()
    with open(read, "rb") as stream:
        lines = Lines(stream, "<stdin>")
        os.write(write, b"a\n")
        assert lines.chunk(16) == ["a"], "one who writes a line and waits for the answer would wait for ever"
        os.write(write, b"b\nc\nno end")
        assert lines.chunk(16) == ["b", "c"]
        threading.Timer(0.2, os.close, [write]).start()
        assert lines.chunk(16) == ["no end"] and lines.chunk(16) == []


def test_one_short_line_is_not_kept_waiting():
    read, write = os.pipe()
    with open(read, "rb") as stream:
        lines = Lines(stream, "<stdin>")
        os.write(write, b"\n")
        assert lines.chunk(16) == [""]
        os.close(write)
