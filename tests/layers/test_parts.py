import pytest

from kt2t.layers import LSTMStack
from kt2t.layers.parts import made
from kt2t.training import Constant


def test_a_prototype_is_not_used_itself():
    prototype = LSTMStack(1, 4)
    found = made(prototype, "encoder", "mixed_bfloat16")
    assert found is not prototype and found.units == 4
    assert found.dtype_policy.name == "mixed_bfloat16"


def test_a_node_and_a_function():
    assert made({"type": "LSTMStack", "num_layers": 1, "units": 3}, "encoder", "float32").units == 3
    found = made(lambda dtype: LSTMStack(1, 5, dtype=dtype), "encoder", "mixed_bfloat16")
    assert found.units == 5 and found.dtype_policy.name == "mixed_bfloat16"


def test_what_is_no_layer_is_refused():
    with pytest.raises(ValueError, match="encoder: .* is no layer. `kt2t list layers`"):
        made(Constant(0.1), "encoder", "float32")
    with pytest.raises(ValueError, match="^encoder: "):
        made({"type": "Text", "vocabulary_size": 4}, "encoder", "float32")
