"""AreaAddition, against the formula in NumPy."""

from __future__ import annotations

import numpy as np
from harness import check_config, forward, numbers

from kt2t.layers import AreaAddition, AreaDeviation, AreaMean
from kt2t.ops.areas import Sizes


def test_it_is_the_formula():
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    layer = AreaAddition([AreaMean(), AreaDeviation()])
    check_config(layer)
    layer.build(x.shape, Sizes(2, 1, 1))
    found = numbers(forward(layer)(x, sizes=Sizes(2)))
    spans = [(at, width) for width in (1, 2) for at in range(6 - width)]
    mean = np.stack([x[:, at : at + width].mean(1) for at, width in spans], 1)
    deviation = np.stack([np.sqrt(x[:, at : at + width].var(1) + 1e-6) for at, width in spans], 1)
    heights, widths = numbers(layer.heights), numbers(layer.widths)
    size = np.stack([np.concatenate([heights[0], widths[width - 1]]) for _, width in spans])
    joined = mean + deviation + size
    hidden = np.maximum(joined @ numbers(layer.hidden.kernel), 0)
    np.testing.assert_allclose(found, hidden @ numbers(layer.output_projection.kernel), atol=1e-3)
