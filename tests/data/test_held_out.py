"""Which examples are held out: the smallest hashes, equal examples together."""

from __future__ import annotations

import pytest

from kt2t.data.content_hash import content_hash
from kt2t.data.held_out import choose_held_out
from kt2t.errors import DataError


@pytest.mark.parametrize(("total", "held"), [(2, 1), (99, 1), (250, 2), (5000, 50), (300_000, 2000)])
def test_how_many_are_held_out(total, held):
    chosen = choose_held_out({"targets": str(number)} for number in range(total))
    assert chosen["records"] == held


def test_equal_texts_are_held_out_together():
    examples = [{"targets": str(number % 50)} for number in range(5000)]
    chosen = choose_held_out(examples)
    assert chosen["records"] == 100 // 2 or chosen["records"] % 100 == 0
    with pytest.raises(DataError, match="1 different examples cannot be split"):
        choose_held_out([{"targets": "a"}] * 9)


def test_those_of_the_smallest_hashes():
    examples = [{"targets": str(number)} for number in range(500)]
    hashes = sorted(content_hash(example)[0] for example in examples)
    assert choose_held_out(examples) == {"limit": hashes[4], "records": 5}
    assert choose_held_out(reversed(examples)) == {"limit": hashes[4], "records": 5}


def test_bytes_are_noted():
    assert choose_held_out([{"x": b"a"}, {"x": "a"}])["buffers"] is True
