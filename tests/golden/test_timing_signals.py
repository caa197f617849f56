"""Sinusoids of positions against Tensor2Tensor's, with the lengths and scales that each file tells in `meta`."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers

from kt2t.ops.positions import grid_sinusoids, sinusoids

pytestmark = pytest.mark.cases("layer_timing_signals")
ALONG_A_LINE = ("y", "odd_channels", "start_index", "tiny_channels_2", "custom_scales")


@pytest.mark.parametrize("name", ALONG_A_LINE)
def test_positions_of_a_line(case, meta, name):
    given = meta["args"][name]
    options = given if isinstance(given, dict) else {"length": given[0], "channels": given[1]}
    index = options.get("start", 0) + np.arange(options["length"])
    scales = options.get("min", 1.0), options.get("max", 1e4)
    found = sinusoids(index[None], options["channels"], "concatenated", *scales)
    np.testing.assert_allclose(numbers(found), case[f"out/{name}"], atol=2e-6)


def test_given_positions(case, meta):
    wanted = case["out/given_position"]
    found = sinusoids(np.array(meta["args"]["given_position"]), wanted.shape[-1])
    np.testing.assert_allclose(numbers(found), wanted, atol=2e-6)


@pytest.mark.parametrize(("field", "name"), [("x2", "nd2"), ("x3", "nd3")])
def test_positions_of_a_grid(case, field, name):
    given, wanted = case[f"in/{field}"], case[f"out/{name}"]
    *lengths, width = given.shape[1:]
    found = given + numbers(grid_sinusoids(tuple(lengths), width))
    np.testing.assert_allclose(found, wanted, atol=2e-6)
