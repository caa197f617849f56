"""Keras's padding masks become segments and attention masks."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from kt2t.ops.keras_masks import attention_mask, implicit_mask, segments_or_mask

IDS = np.array([[3, 2, 0], [4, 0, 0]], "int32")
REAL = IDS != 0


def masked():
    return keras.layers.Embedding(5, 4, mask_zero=True)(IDS)


def numbers(x):
    return np.asarray(ops.convert_to_numpy(x))


def test_the_mask_of_an_embedding_is_found():
    np.testing.assert_array_equal(numbers(implicit_mask(masked())), REAL)
    assert implicit_mask(ops.ones((2, 3))) is None
    assert implicit_mask(None) is None


def test_segments_win_over_masks_and_a_given_mask_over_an_implicit_one():
    segments, given = np.array([[1, 2, 2], [1, 1, 0]]), np.array([[True, False, True], [True, True, True]])
    assert segments_or_mask(masked(), segments, given) is segments
    np.testing.assert_array_equal(numbers(segments_or_mask(masked(), None, given)), given.astype("int32"))
    found = segments_or_mask(masked(), None)
    np.testing.assert_array_equal(numbers(found), REAL.astype("int32"))
    assert keras.backend.standardize_dtype(found.dtype) == "int32"
    assert segments_or_mask(ops.ones((2, 3)), None) is None


def test_a_mask_of_two_axes_hides_keys_and_others_stay():
    for found in (attention_mask(None, masked()), attention_mask(REAL, None), attention_mask(REAL.astype("int32"), None)):
        np.testing.assert_array_equal(numbers(found), REAL[:, None, :])
    causal = np.tril(np.ones((1, 3, 3), bool))
    assert attention_mask(causal, masked()) is causal
    assert attention_mask(None, ops.ones((2, 3, 4))) is None
    assert attention_mask(None, None) is None
