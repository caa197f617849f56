"""Room behind every example, against a loop over the runs."""

from __future__ import annotations

import numpy as np
import pytest
from harness import compiled
from keras import ops

from kt2t.ops.unfolding import lengthened

SEGMENTS = np.array([[1, 1, 1, 2, 2, 3, 0, 0], [1] * 8, [1, 2, 0, 0, 3, 3, 3, 0], [0] * 8], "int32")
X = np.random.default_rng(0).normal(size=(4, 8, 3)).astype("float32") * (SEGMENTS > 0)[..., None]


def by_loop(row, segments, width, hundredths):
    """One row, run by run."""
    states, ids, start = [], [], 0
    for end in range(1, len(segments) + 1):
        if end == len(segments) or segments[end] != segments[start]:
            room = (end - start) * (hundredths - 100) // 100 if segments[start] else 0
            states += [*row[start:end], *np.zeros((room, row.shape[1]))]
            ids += [segments[start]] * (end - start + room)
            start = end
    spare = width - len(ids)
    return np.concatenate([states, np.zeros((spare, row.shape[1]))]), ids + [0] * spare


@pytest.mark.parametrize(("ratio", "width"), [(1.5, 12), (1.2, 9), (1.0, 8), (2.34, 18)])
def test_every_example_grows_by_the_ratio(ratio, width):
    found, ids = compiled(lambda x, segments: lengthened(x, segments, ratio))(X, SEGMENTS)
    assert tuple(found.shape) == (4, width, 3)
    for row in range(4):
        wanted, wanted_ids = by_loop(X[row], SEGMENTS[row], width, round(100 * ratio))
        assert ops.convert_to_numpy(ids)[row].tolist() == wanted_ids
        np.testing.assert_array_equal(ops.convert_to_numpy(found)[row], wanted.astype("float32"))
