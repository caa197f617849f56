"""Lines of text: every fault is named by file and line."""

from __future__ import annotations

import gzip
import random

import pytest

from kt2t.data.sources.lines import LONGEST, lines
from kt2t.errors import DataError

TEXT = "eins\nzwei drei\n\nvïer\u2028fünf"


def stored(tmp_path, data, name="text"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", ["text", "text.gz", "no_suffix"])
def test_plain_and_gzip(tmp_path, name):
    data = TEXT.encode() if name == "text" else gzip.compress(TEXT.encode())
    assert list(lines(stored(tmp_path, data, name))) == TEXT.split("\n")


def test_carriage_returns_and_byte_order_mark(tmp_path):
    assert list(lines(stored(tmp_path, b"\xef\xbb\xbfa\r\nb\r\n"))) == ["a", "b"]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("count", [2, 400, 200_000])
def test_lines_that_end_with_carriage_returns_alone(tmp_path, count, zipped):
    expected = [f"line {number}" for number in range(count)]
    data = "\r".join([*expected, ""]).encode()
    assert list(lines(stored(tmp_path, gzip.compress(data, 1) if zipped else data))) == expected


@pytest.mark.parametrize("size", [LONGEST // 2, LONGEST * 3 // 2])
def test_ends_of_two_systems_in_one_file(tmp_path, size):
    """Never several lines as one: what begins with 1 MB of lines that end with returns goes on so, else it is refused."""
    first, then = ["a" * 99] * (size // 100), ["b", "c", "d"]
    path = stored(tmp_path, ("\r".join([*first, ""]) + "\r\n".join(then) + "\n").encode())
    if size > LONGEST:
        assert list(lines(path)) == [*first, *then]
    else:
        with pytest.raises(DataError, match="text:1: 5,000 carriage returns stand within the line.*tr"):
            list(lines(path))


def test_one_carriage_return_within_a_line_is_text(tmp_path):
    assert list(lines(stored(tmp_path, b"a\rb\nc\r\r\nd\n"))) == ["a\rb", "c", "d"]


def test_byte_order_marks_within_a_file_are_no_text(tmp_path):
    """As `cat a b > c` leaves them."""
    marked = b"\xef\xbb\xbfeins\nzwei\n"
    assert list(lines(stored(tmp_path, marked * 2))) == ["eins", "zwei"] * 2
    assert list(lines(stored(tmp_path, b"\xef\xbb\xbf" + marked))) == ["eins", "zwei"]


@pytest.mark.parametrize("zipped", [False, True])
def test_lines_of_any_length_across_blocks(tmp_path, zipped):
    chance = random.Random(5)
    expected = ["ä" * chance.choice([0, 1, 30, 70_000, 499_990]) for _ in range(60)] + ["a" * LONGEST, "", "b"]
    data = "\r\n".join(expected).encode()
    assert list(lines(stored(tmp_path, gzip.compress(data, 1) if zipped else data))) == expected


def test_what_stands_before_a_fault_is_given_first(tmp_path):
    good = [f"line {number}" for number in range(20_000)]
    path = stored(tmp_path, "\n".join([*good, "bad\0", "more"]).encode())
    found = []
    with pytest.raises(DataError, match="text:20001: byte 4 is NUL"):
        found.extend(lines(path))
    assert found == good
    path = stored(tmp_path, b"good\n" * 20_000 + b"a" * 3_000_000)
    with pytest.raises(DataError, match="text:20001: a line is longer than 1,000,000 bytes"):
        list(lines(path))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"good\nb\xffd\n", "text:2: byte 2 .0xff. is not UTF-8"),
        (b"good\nb\0d\n", "text:2: byte 2 is NUL"),
        (b"good\n" + b"a" * 1_000_001 + b"\nmore", "text:2: a line is longer than 1,000,000 bytes"),
        (gzip.compress(TEXT.encode() * 1000, mtime=0)[:60], "damaged gzip file, readable up to line"),
        (gzip.compress(b"good\n", mtime=0)[:-5] + b"wrong", "damaged gzip file, readable up to line"),
        (gzip.compress(b"", mtime=0), "is empty"),
    ],
    ids=["empty", "latin-1", "NUL", "too long", "cut gzip", "wrong gzip", "empty gzip"],
)
def test_faults(tmp_path, data, message):
    with pytest.raises(DataError, match=message):
        list(lines(stored(tmp_path, data)))


def test_a_name_that_promises_gzip_and_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="named .gz but is not a gzip"):
        list(lines(stored(tmp_path, b"plain", "text.gz")))
    with pytest.raises(DataError, match="nowhere' does not exist"):
        list(lines(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="is a folder, not a file"):
        list(lines(tmp_path))


@pytest.mark.parametrize(("before", "behind"), [(b"", b"\r" * (LONGEST + 70_000)), (b"\xef\xbb\xbf" * (LONGEST // 2), b"")])
def test_what_is_removed_from_a_line_counts_for_its_length_or_the_rest_of_the_file_would_be_lost(tmp_path, before, behind):
    file = tmp_path / "a.txt"
    file.write_bytes(b"one\n" + before + b"two" + behind + b"\nthree\n")
    with pytest.raises(DataError, match=r"a.txt:2: a line is longer than 1,000,000 bytes"):
        list(lines(file))
