"""Areas of sequences and grids, against loops over all of them."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers

from kt2t.ops.areas import Sizes, deviations, heights_and_widths, inside, maxima, means, totals


def areas_of(length, sizes):
    """The positions of each area, in order."""
    rows, columns = sizes.height, length // sizes.height
    for height in range(1, min(sizes.max_height, rows) + 1):
        for width in range(1, sizes.max_width + 1):
            for top in range(rows - height + 1):
                for left in range(columns - width + 1):
                    yield height, width, [(top + y) * columns + left + x for y in range(height) for x in range(width)]


@pytest.mark.parametrize("sizes", [Sizes(3), Sizes(2, 2, 3), Sizes(1), Sizes(9), Sizes(3, 5, 2)])
def test_what_is_computed_of_each_area(sizes):
    x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    real = np.random.default_rng(1).random((2, 6)) > 0.3
    expected = list(areas_of(6, sizes))
    parts = np.stack([np.stack([x[:, area].sum(1) for *_, area in expected], 1)])[0]
    np.testing.assert_allclose(numbers(totals(x, sizes)), parts, atol=1e-5)
    found = numbers(means(x, sizes))
    np.testing.assert_allclose(found, np.stack([x[:, area].mean(1) for *_, area in expected], 1), atol=1e-6)
    found = numbers(maxima(x, sizes))
    np.testing.assert_allclose(found, np.stack([x[:, area].max(1) for *_, area in expected], 1), atol=1e-6)
    wanted = np.stack([np.sqrt(x[:, area].var(1) + 1e-6) for *_, area in expected], 1)
    np.testing.assert_allclose(numbers(deviations(x, sizes)), wanted, atol=1e-3)
    found = numbers(inside(real, sizes))
    np.testing.assert_array_equal(found, np.stack([real[:, area].all(1) for *_, area in expected], 1))
    heights, widths = heights_and_widths(6, sizes)
    assert numbers(heights).tolist() == [height for height, *_ in expected]
    assert numbers(widths).tolist() == [width for _, width, _ in expected]
