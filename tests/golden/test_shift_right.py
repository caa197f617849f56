"""Shifting right against Tensor2Tensor's."""

from __future__ import annotations

import numpy as np
import pytest
from harness import numbers

from kt2t.ops.segments import shift_right

pytestmark = pytest.mark.cases("layer_shift_right")


def test_with_zeros(case):
    np.testing.assert_array_equal(numbers(shift_right(case["in/x"])), case["out/y"])


def test_along_the_first_of_two_axes(case):
    np.testing.assert_array_equal(numbers(shift_right(case["in/x4"])), case["out/shift_right_4d"])


def test_with_a_vector_in_front(case):
    np.testing.assert_array_equal(numbers(shift_right(case["in/x"], first=case["in/pad"])), case["out/bigger_pad"])
