"""Distances between sequences, against the table in plain Python."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from harness import compiled, numbers

from kt2t.ops.distances import edit_distance


def by_table(first, second):
    first, second = [[int(one) for one in ids if one] for ids in (first, second)]
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, 1):
        before, row = row, [i]
        for j, other in enumerate(second, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (one != other)))
    return row[-1]


def random_ids(rows, time, seed):
    random = np.random.default_rng(seed)
    return random.integers(1, 5, size=(rows, time)).astype("int32") * (random.random((rows, time)) > 0.3)


def test_it_is_the_table_with_padding_anywhere():
    first, second = random_ids(40, 7, 0).astype("int32"), random_ids(40, 9, 1).astype("int32")
    wanted = [by_table(*rows) for rows in zip(first, second, strict=True)]
    assert numbers(edit_distance(first, second)).tolist() == wanted
    assert numbers(edit_distance(second, first)).tolist() == wanted
    assert numbers(compiled(edit_distance)(first, second)).tolist() == wanted


def test_a_case_by_hand():
    """Kitten becomes sitting by two replacements and one insertion."""
    first = np.array([[11, 9, 20, 20, 5, 14]], "int32")
    second = np.array([[19, 9, 20, 20, 9, 14, 7]], "int32")
    assert numbers(edit_distance(first, second)).tolist() == [3]


def test_nothing_against_something():
    assert numbers(edit_distance(np.zeros((1, 2), "int32"), np.array([[3, 0, 4]], "int32"))).tolist() == [2]
    assert numbers(edit_distance(np.zeros((1, 2), "int32"), np.zeros((1, 3), "int32"))).tolist() == [0]


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="counts in a TensorFlow graph")
def test_the_graph_for_all_lengths_is_small():
    import tensorflow as tf

    ids = tf.TensorSpec([None, None], tf.int32)
    graph = tf.function(edit_distance, autograph=False).get_concrete_function(ids, ids).graph.as_graph_def()
    assert len(graph.node) + sum(len(function.node_def) for function in graph.library.function) < 1000
