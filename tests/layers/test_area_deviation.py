"""AreaDeviation, against NumPy."""

from __future__ import annotations

import numpy as np
from harness import check_config, forward, numbers

from kt2t.layers import AreaDeviation
from kt2t.ops.areas import Sizes


def test_it_is_the_formula():
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    layer = AreaDeviation()
    check_config(layer)
    layer.build(x.shape, Sizes(2))
    wanted = [np.sqrt(x[:, at : at + width].var(1) + 1e-6) for width in (1, 2) for at in range(6 - width)]
    np.testing.assert_allclose(numbers(forward(layer)(x, sizes=Sizes(2))), np.stack(wanted, 1), atol=1e-3)
