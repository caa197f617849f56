"""Blocks: an example depends on its number alone, and stands in one split."""

from __future__ import annotations

import zlib

import numpy as np

from kt2t.data.blocks import BLOCK, chance_of, first_kept, from_blocks, is_in_split


def test_any_stretch_is_the_same_as_in_the_whole():
    made = []

    def block(number):
        made.append(number)
        return range(number * BLOCK, (number + 1) * BLOCK)

    assert list(from_blocks(block, BLOCK - 2, 2 * BLOCK + 1)) == list(range(BLOCK - 2, 2 * BLOCK + 1))
    assert made == [0, 1, 2]
    assert list(from_blocks(block, 5, 8)) == [5, 6, 7] and list(from_blocks(block, 5, 5)) == []


def test_a_generator_depends_on_seed_split_and_block():
    def drawn(*what):
        return tuple(chance_of(*what).integers(0, 2**60, 3).tolist())

    kinds = [(0, "train", 0), (1, "train", 0), (0, "validation", 0), (0, "train", 1)]
    assert len({drawn(*kind) for kind in kinds}) == 4
    assert drawn(*kinds[0]) == drawn(*kinds[0])


def test_a_block_is_filled_with_what_is_kept():
    count = iter(range(10_000))
    found = first_kept(lambda: [next(count) for _ in range(300)], lambda number: number % 3 == 0)
    assert found == list(range(0, 3 * BLOCK, 3))


def test_every_content_stands_in_one_split_one_in_ten_in_validation():
    contents = [np.array(row, "<i4").tobytes() for row in np.ndindex(10, 10, 10, 10)]
    held = [is_in_split(zlib.crc32(content), "validation") for content in contents]
    assert held == [zlib.crc32(content) % 10 == 0 for content in contents]
    assert held == [not is_in_split(zlib.crc32(content), "train") for content in contents]
    assert 0.09 < np.mean(held) < 0.11
