"""Many short arrays at once are what each by itself is."""

from __future__ import annotations

import numpy as np
import pytest

from kt2t.data.rows import ended, rows_of


@pytest.mark.parametrize("ids", [[], [[]], [[5, 3], [], [7]], [[], [2]], [[258], []]])
def test_rows_and_their_ends(ids):
    rows = rows_of(ids)
    assert [row.tolist() for row in rows] == ids and all(row.dtype == np.int32 for row in rows)
    assert [row.tolist() for row in ended(rows)] == [[*row, 1] for row in ids]
    assert all(row.dtype == np.int32 for row in ended(rows))


def test_what_is_no_id_is_refused():
    with pytest.raises(OverflowError):
        rows_of([[3], [2**31]])
