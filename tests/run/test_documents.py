import gzip
import io

import pytest

from kt2t.errors import DataError
from kt2t.run.documents import read_document


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a\nb\n", "a\nb\n"),
        (b"a\r\nb", "a\nb"),
        (b"a\rb\r", "a\nb\n"),
        (b"\xef\xbb\xbfa\n\n b", "a\n\n b"),
        (b"", ""),
        (gzip.compress("ä\n".encode(), mtime=0), "ä\n"),
    ],
)
def test_a_text_with_its_lines(data, text):
    assert read_document(io.BytesIO(data), "x") == text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\n\xff", r"x:2: byte 1 \(0xff\) is not UTF-8"),
        (b"a\nb\0\n", r"x:2: byte 2 is NUL"),
        (gzip.compress(b"abc", mtime=0)[:-5], "'x' is a damaged gzip file"),
    ],
)
def test_faults(data, message):
    with pytest.raises(DataError, match=message):
        read_document(io.BytesIO(data), "x")
