"""Bits per byte and perplexity per word, by hand."""

import math

from kt2t.data.language.text_figures import bits_per_byte, word_perplexity


def test_a_text_that_costs_one_bit_for_each_byte():
    # "ab c\n": 5 bytes, 2 words and a line's end; every byte one of two equally likely ones
    nats = 5 * math.log(2)
    assert math.isclose(bits_per_byte(nats, 5), 1.0)
    assert math.isclose(word_perplexity(nats, 3), 2 ** (5 / 3))


def test_it_does_not_depend_on_the_tokens():
    # the same surprise of 12 nats, whether told by 4 tokens of 3 nats or by 12 of 1
    assert bits_per_byte(4 * 3.0, 10) == bits_per_byte(12 * 1.0, 10)
    assert math.isclose(bits_per_byte(12.0, 10), 12 * 1.4426950408889634 / 10)


def test_beyond_a_float():
    assert word_perplexity(1e6, 10) == math.inf
