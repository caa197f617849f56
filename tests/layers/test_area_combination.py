"""The base of combinations of statistics and sizes."""

from __future__ import annotations

import pytest

from kt2t.layers import AreaCombination, AreaMean
from kt2t.ops.areas import Sizes


def test_what_it_does_not_take():
    with pytest.raises(ValueError, match="statistics: the list is empty. Give at least one"):
        AreaCombination([])
    with pytest.raises(ValueError, match="depth: 3 cannot be halved for height and width"):
        AreaCombination([AreaMean()]).build((None, 4, 3), Sizes(2))
    with pytest.raises(NotImplementedError, match="must define width"):
        AreaCombination([AreaMean()]).build((None, 4, 2), Sizes(2))
