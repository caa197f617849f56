import importlib
import sys
import types

import pytest

import kt2t
from kt2t.errors import RecipeError, UnknownNameError
from kt2t.registry import build, describe, lookup, register


@register
class Leaf:
    """A leaf."""

    def __init__(self, size: int, colour: str = "green"):
        if size < 1:
            raise ValueError(f"size: {size} is not positive.")
        self.size, self.colour = size, colour


@register
class Branch:
    """A branch with leaves."""

    def __init__(self, leaf: Leaf, others: list | None = None, weight: float = 1.0):
        self.leaf, self.others, self.weight = leaf, others or [], weight


@register
class Twig(Leaf):
    """Hands further options on to Leaf."""

    def __init__(self, angle: float, **common):
        super().__init__(**common)
        self.angle = angle


def test_build_makes_nested_nodes_first():
    branch = build({"type": "Branch", "leaf": {"type": "Leaf", "size": 3}, "others": [{"type": "Leaf", "size": 1}]})
    assert isinstance(branch.leaf, Leaf) and branch.leaf.size == 3
    assert isinstance(branch.others[0], Leaf) and branch.weight == 1.0


def test_describe_gives_the_options_that_were_given_or_all():
    branch = Branch(Leaf(2), weight=0.5)
    assert describe(branch)["leaf"]["size"] == 2 and "others" not in describe(branch)
    full = describe(branch, full=True)
    assert full["others"] is None and full["leaf"]["colour"] == "green"
    assert describe(build(describe(branch))) == describe(branch)
    assert describe(build(full), full=True) == full


def test_subclass_is_remembered_with_its_own_options():
    node = describe(Twig(30.0, size=2))
    assert {k: v for k, v in node.items() if k != "type"} == {"angle": 30.0, "size": 2}


def test_what_a_constructor_refuses_is_told_with_the_path():
    with pytest.raises(RecipeError, match="0 is not positive") as raised:
        build({"type": "Branch", "leaf": {"type": "Leaf", "size": 0}}, path="top")
    assert raised.value.path == "top.leaf.size"


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match=r"no learning_rate is registered as 'Noma'\. Did you mean 'Noam'"):
        lookup("Noma", "learning_rate")
    assert lookup("SGD", "optimizer").__name__ == "SGD"
    with pytest.raises(UnknownNameError, match="cannot be imported"):
        lookup("no_such_module_anywhere.Thing")


def test_dotted_names_are_imported():
    module = types.ModuleType("riddles_for_test")
    module.Leaf = Leaf
    sys.modules["riddles_for_test"] = module
    assert lookup("riddles_for_test.Leaf") is Leaf


def test_same_bare_name_from_another_module_is_refused():
    other = type("Leaf", (), {"__init__": lambda self: None, "__module__": "elsewhere"})
    with pytest.raises(RecipeError, match="registered by .* and again by elsewhere"):
        register(other)


def test_registered_again_by_the_same_module_replaces():
    again = type("Leaf", (), {"__init__": lambda self, size=1: None, "__module__": Leaf.__module__})
    assert register(again) is again
    register(Leaf)


def test_a_layer_of_keras_survives_its_config():
    import keras

    @register
    class ScaleForTest(keras.layers.Layer):
        """Scales."""

        def __init__(self, factor: float, inner: keras.layers.Layer | None = None, **kwargs):
            super().__init__(**kwargs)
            self.factor, self.inner = factor, inner

    layer = ScaleForTest(2.0, inner=keras.layers.Dense(3), dtype="mixed_bfloat16", name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (again.factor, again.name, again.dtype_policy.name) == (2.0, "mine", "mixed_bfloat16")
    assert isinstance(again.inner, keras.layers.Dense) and again.inner.units == 3


def test_a_layer_made_from_a_registered_one_survives_its_config():
    import keras

    from kt2t.layers import LayerNorm

    class Unregistered(LayerNorm):
        pass

    @register
    class Registered(Unregistered):
        """Takes one more option."""

        def __init__(self, factor: float = 1.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

    assert Unregistered(epsilon=0.5, name="mine").get_config()["epsilon"] == 0.5
    layer = Registered(3.0, epsilon=0.5, name="mine", dtype="mixed_bfloat16")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (again.factor, again.epsilon, again.name, again.dtype_policy.name) == (3.0, 0.5, "mine", "mixed_bfloat16")


def test_an_optimizer_of_keras_is_described_by_what_differs():
    import keras

    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 100, 0.9)
    node = describe(keras.optimizers.SGD(schedule, momentum=0.9))
    assert node["type"] == "SGD" and node["momentum"] == pytest.approx(0.9)
    assert node["learning_rate"]["decay_steps"] == 100
    assert describe(build(node, "optimizer")) == node


PACKAGES = ["kt2t", "kt2t.data.vocabularies", *(f"kt2t.{room}" for room in kt2t.ROOMS if room != "errors")]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_star_imports_every_public_name(package):
    names = {}
    exec(f"from {package} import *", names)
    module = importlib.import_module(package)
    public = getattr(module, "TABLE", None) or module.__all__
    assert set(public) <= set(names) and all(names[name] is getattr(module, name) for name in public)
