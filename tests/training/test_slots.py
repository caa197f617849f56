from __future__ import annotations

import keras
import numpy as np
import pytest

from kt2t.ops.paths import attribute_paths
from kt2t.training.optimizers.adam import Adam
from kt2t.training.slots import slots

KINDS = """SGD Adam AdamW Adamax Nadam Adadelta Adagrad RMSprop Ftrl Lamb Lion Adafactor Muon
    ScheduleFreeAdamW""".split()


class Model(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = keras.layers.Dense(4)
        self.norm = keras.layers.LayerNormalization()
        self.first.build((None, 3))
        self.norm.build((None, 4))
        self.built = True


def named(optimizer):
    model = Model()
    optimizer.build(model.trainable_variables)
    return slots(optimizer, attribute_paths(model)), model


@pytest.mark.parametrize("kind", KINDS)
def test_every_variable_of_every_optimizer_has_a_name(kind):
    options = {"momentum": 0.9} if kind in ("SGD", "RMSprop") else {}
    optimizer = getattr(keras.optimizers, kind)(use_ema=True, **options)
    found, _ = named(optimizer)
    assert {id(one) for one in found.values()} == {id(one) for one in optimizer.variables}
    assert {"iterations", "model_variables_moving_average/first.kernel"} <= set(found)


def test_slots_bear_the_path_of_their_weight():
    optimizer = Adam()
    found, _ = named(optimizer)
    assert set(found) == {"iterations", "learning_rate"} | {
        f"{slot}/{path}"
        for slot in ("momentums", "velocities")
        for path in ("first.kernel", "first.bias", "norm.gamma", "norm.beta")
    }
    assert found["momentums/first.kernel"].shape == (3, 4)
    assert found["velocities/norm.gamma"] is optimizer._velocities[2]


def test_the_order_of_the_weights_does_not_matter():
    model, optimizer = Model(), Adam()
    optimizer.build(list(reversed(model.trainable_variables)))
    found = slots(optimizer, attribute_paths(model))
    assert found["momentums/first.kernel"].shape == (3, 4)
    assert found["momentums/norm.beta"] is optimizer._momentums[0]


def test_a_loss_scaling_optimizers_inner_one_is_named_too():
    found, _ = named(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(momentum=0.9)))
    assert {"dynamic_scale", "step_counter", "inner_optimizer.iterations"} <= set(found)
    assert "inner_optimizer.momentums/first.kernel" in found


def test_a_variable_that_no_attribute_holds_is_told():
    optimizer = keras.optimizers.SGD()
    optimizer.build([keras.Variable(np.zeros(2))])
    optimizer.add_variable(shape=(), name="hidden")
    with pytest.raises(RuntimeError, match="SGD holds .*hidden"):
        slots(optimizer, {})
