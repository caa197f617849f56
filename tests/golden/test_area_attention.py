"""Area attention against Tensor2Tensor's own numbers."""

from __future__ import annotations

import re

import numpy as np
import pytest
from golden_means import gradients, near
from harness import numbers
from keras import ops

from kt2t.layers.area_addition import AreaAddition
from kt2t.layers.area_attention import AreaAttention
from kt2t.layers.area_concatenation import AreaConcatenation
from kt2t.layers.area_deviation import AreaDeviation
from kt2t.layers.area_max import AreaMax
from kt2t.layers.area_mean import AreaMean
from kt2t.layers.area_sample import AreaSample
from kt2t.layers.area_total import AreaTotal
from kt2t.ops.areas import Sizes, deviations, heights_and_widths, means, totals

KEYS = {
    "mean": AreaMean(),
    "max": AreaMax(),
    "sample": AreaSample(),
    "concat": AreaConcatenation([AreaMean(), AreaDeviation()]),
    "max_concat": AreaConcatenation([AreaMax()]),
    "sum": AreaAddition([AreaMean(), AreaDeviation()]),
    "sample_concat": AreaConcatenation([AreaSample()]),
    "sample_sum": AreaAddition([AreaSample()]),
}
VALUES = {"sum": AreaTotal(), "mean": AreaMean()}
SCOPE = "layer/dot_product_area_attention/combine_area_features"
NAMES = {
    "area_height_emb": "heights",
    "area_width_emb": "widths",
    "dense/kernel": "hidden.kernel",
    "dense/bias": "hidden.bias",
    "dense_1/kernel": "output_projection.kernel",
    "dense_1/bias": "output_projection.bias",
}
GRID = r"(\d+)x(\d+) grid, width<=(\d+) height<=(\d+)"
SHARE = 1e-4  # the cases' own: upstream takes the root of a difference of summed area tables


def _layer(case, keys, values, sizes):
    """The layer, and its weights by upstream's names."""
    heads, depth = case["in/q"].shape[1], case["in/q"].shape[3]
    layer = AreaAttention(heads, *sizes, keys=keys, values=values)
    layer.build((None, None, heads * depth))
    weights = {}
    for theirs, ours in NAMES.items():
        if f"var/{SCOPE}/{theirs}" in case.files:
            weight = layer.area_keys
            for part in ours.split("."):
                weight = getattr(weight, part)
            weight.assign(case[f"var/{SCOPE}/{theirs}"])
            weights[f"{SCOPE}/{theirs}"] = weight
    assert len(weights) == len(layer.area_keys.trainable_weights)
    return layer, weights


@pytest.mark.cases("layer_area_1d")
def test_runs_of_positions(case, meta):
    options = re.search(r"width<=(\d+) key mode (\w+) value mode (\w+)", meta["exercises"])
    layer, weights = _layer(case, KEYS[options[2]], VALUES[options[3]], (int(options[1]),))
    mask = case["in/bias"][:, 0] > -1
    given = [ops.convert_to_tensor(case[f"in/{name}"]) for name in "qkv"]
    near(layer._means(*given, mask, None, False), case["out/y"], SHARE)
    if "in/grad_weights" not in case.files:
        return
    total, found = gradients(
        lambda *x: ops.sum(layer._means(*x, mask, None, False) * case["in/grad_weights"]), given, list(weights.values())
    )
    np.testing.assert_allclose(total, case["out/scalar_for_grad"], rtol=1e-4, atol=1e-4)
    wanted = [case[f"gradin/{name}"] for name in "qkv"] + [case[f"grad/{name}"] for name in weights]
    for ours, theirs in zip(found, wanted, strict=True):
        # The bias of the last layer moves all logits alike: its gradient is what rounding left of zero.
        limit = max(2 * SHARE * np.abs(theirs).max(), 1e-5)
        np.testing.assert_allclose(numbers(ours), theirs, atol=limit, rtol=0)


@pytest.mark.cases("layer_area_2d")
def test_rectangles_of_a_grid(case, meta):
    rows, _, width, height = map(int, re.search(GRID, meta["exercises"]).groups())
    layer, _ = _layer(case, None, None, (width, height, rows))
    given = [ops.convert_to_tensor(case[f"in/{name}"]) for name in "qkv"]
    near(layer._means(*given, None, None, False), case["out/y"], SHARE)


@pytest.mark.cases("layer_area_features")
def test_features_in_their_order(case, meta):
    rows = int(re.search(r"(\d+)x\d+ grid", meta["exercises"])[1])
    heights, widths = (case[f"out/{name}"][0, :, 0] for name in ("heights", "widths"))
    sizes = Sizes(int(widths.max()), int(heights.max()), rows)
    x = case["in/x"]
    found = [numbers(one) for one in heights_and_widths(x.shape[1], sizes)]
    np.testing.assert_array_equal(found, [heights, widths])
    near(means(x, sizes), case["out/y"], SHARE)
    near(totals(x, sizes), case["out/sum"], SHARE)
    # Where an area is one position, upstream's variance is what rounding left of a difference.
    near(deviations(x, sizes) ** 2, case["out/std"] ** 2, SHARE)
