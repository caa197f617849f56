import numpy as np
from keras import ops

from kt2t.layers import LSTMStack, Memory


def test_it_passes_through_a_layer_call_as_two_tensors():
    """Keras takes it for a structure of tensors, so that a symbolic call knows its shapes."""
    memory = Memory(np.zeros((2, 3, 8), "float32"), np.ones((2, 3), "int32"))
    layer = LSTMStack(1, 4, memory="start")
    output = layer(np.zeros((2, 5, 4), "float32"), np.ones((2, 5), "int32"), memory=memory)
    assert tuple(output.shape) == (2, 5, 4)
    states, segments = Memory(*(ops.convert_to_tensor(one) for one in memory))
    assert states.shape[1] == segments.shape[1]


def test_each_example_finds_its_last_state():
    states = np.arange(12, dtype="float32").reshape(2, 6, 1)
    memory = Memory(states, np.array([[1, 1, 2, 2, 3, 0], [1, 1, 1, 0, 0, 0]], "int32"))
    segments = np.array([[1, 1, 2, 3, 3], [1, 1, 1, 1, 1]], "int32")
    assert np.asarray(memory.at_ends(segments))[..., 0].tolist() == [[1, 1, 3, 4, 4], [8] * 5]
    assert np.asarray(memory.at_end()).tolist() == [[1], [8]]
