import ml_dtypes
import numpy as np
import pytest

from kt2t.training.finite import is_finite, is_float


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ml_dtypes.bfloat16])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_bad_number_is_found(dtype, bad):
    values = np.ones((3, 4), dtype)
    assert is_float(values.dtype) and is_finite(values)
    values[1, 2] = bad
    assert not is_finite(values)


def test_a_sum_that_overflows_is_not_taken_for_a_bad_number():
    assert is_finite(np.full(8, 3e38, "float32"))


def test_whole_numbers_are_finite():
    assert not is_float(np.dtype("int32")) and is_finite(np.ones(3, "int32"))
