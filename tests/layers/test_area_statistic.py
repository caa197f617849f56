"""The contract of statistics of areas."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.layers import AreaStatistic
from kt2t.ops.areas import Sizes


def test_the_base_alone_says_what_is_missing():
    layer = AreaStatistic()
    layer.build((1, 3, 2), Sizes(2))
    assert layer.weights == []
    with pytest.raises(NotImplementedError, match="AreaStatistic must define call"):
        layer(np.zeros((1, 3, 2), "float32"), sizes=Sizes(2))
