"""Plain repetition, and what a recurrence of one's own must have."""

from __future__ import annotations

import numpy as np
import pytest
from recurrence_harness import MADE, X, prepared, run

from kt2t.layers import BasicRecurrence
from kt2t.layers.recurrence import Recurrence


def test_the_last_step_is_the_result():
    np.testing.assert_array_equal(run(prepared(BasicRecurrence())), MADE[-1])


def test_one_without_a_call_says_what_to_define():
    with pytest.raises(NotImplementedError, match="Recurrence must define call"):
        Recurrence().call([X], X, X)
