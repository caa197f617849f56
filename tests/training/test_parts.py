from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.training.objective import Objective
from kt2t.training.parts import Part, open_part, tokens

DRAW = np.random.default_rng(3)
Y, P = DRAW.random((6, 4)).astype("float32"), DRAW.random((6, 4)).astype("float32")
W = DRAW.random((6, 4)).astype("float32")


def objective():
    return Objective(lambda y, p: keras.ops.square(y - p))


def of(array):
    return keras.ops.convert_to_tensor(array)


@pytest.mark.parametrize("extra", [None, 6.0])
def test_shares_and_vectors_of_parts_add_up_to_those_of_the_whole(extra):
    whole = objective()
    given, loss, vector = whole.total_weights(of(Y), of(W)), 0.0, 0.0
    for rows in (slice(0, 2), slice(2, 3), slice(3, 6)):
        part, data = Part(given, 3), (None, of(Y[rows]), of(W[rows]))
        with part.opened():
            found = open_part().loss(whole, data[1], of(P[rows]), data[2], None if extra is None else of(extra))
        loss = loss + part.share_of(found)
        vector = vector + part.vector([""], found, data)
        assert part.extra == (None if extra is None else "auxiliary")
    total = (W * (Y - P) ** 2).sum()
    assert float(loss) == pytest.approx(total / W.sum() + (extra or 0.0), rel=1e-5)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(vector), [total, W.sum(), extra or 0.0, W.sum()], rtol=1e-5)


def test_of_an_overridden_loss_the_mean_over_the_parts_counts():
    vector = loss = 0.0
    for mean in (2.0, 4.0):
        part = Part(count=2)
        loss = loss + part.share_of(of(mean))
        vector = vector + part.vector([""], of(mean), (None, of(Y), None))
        assert part.extra == "own"
    assert float(loss) == 3.0
    np.testing.assert_allclose(keras.ops.convert_to_numpy(vector), [0, 0, 3.0, 12])


def test_outside_of_a_part_there_is_the_whole():
    part = Part()
    with part.opened():
        assert open_part() is part
    assert float(open_part().loss(objective(), of(Y), of(P), None, None)) == pytest.approx(
        ((Y - P) ** 2).mean(), rel=1e-5
    )


def test_an_auxiliary_loss_counts_in_training_only():
    plain = float(Part().loss(objective(), of(Y), of(P), None, None))
    assert float(Part().loss(objective(), of(Y), of(P), None, of(2.0))) == pytest.approx(plain + 2.0, rel=1e-5)
    part = Part()
    assert float(part.loss(objective(), of(Y), of(P), None, of(2.0), training=False)) == plain and part.extra is None
    assert float(Part().loss(Objective(None), None, of(P), None, of(2.0), training=False)) == 2.0


def test_without_a_loss_there_is_an_error():
    with pytest.raises(ValueError, match="loss: there is none"):
        Part().loss(Objective(None), None, of(P), None, None)


def test_tokens_are_the_weights_of_all_outputs_or_rows():
    assert float(tokens((of(P), of(Y), {"a": of(W), "b": of(W[0])}))) == pytest.approx(W.sum() + W[0].sum(), rel=1e-6)
    assert float(tokens((of(P), None, None))) == 6
