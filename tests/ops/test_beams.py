"""Rows of beams, against NumPy's indexing."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.ops.beams import gather_beams


@pytest.mark.parametrize("further", [(), (4,), (2, 3)])
def test_each_source_gives_its_own_rows(further):
    x = np.random.default_rng(0).normal(size=(2, 3, *further)).astype("float32")
    index = np.array([[2, 2, 0, 1], [0, 1, 1, 2]], "int32")
    wanted = np.stack([x[row][index[row]] for row in range(2)])
    np.testing.assert_array_equal(np.asarray(gather_beams(x, index)), wanted)
