import numpy as np
import pytest

from kt2t.errors import RecipeError
from kt2t.options import (
    below,
    below_one,
    check,
    check_given,
    constructors,
    hands_on,
    is_keras,
    nearest,
    options,
    positive,
)


class Leaf:
    def __init__(self, size: int, colour: str = "green"):
        self.size, self.colour = size, colour


class Branch:
    def __init__(self, leaf: Leaf, others: list | None = None, weight: float = 1.0):
        self.leaf, self.others, self.weight = leaf, others or [], weight


class Twig(Leaf):
    def __init__(self, angle: float, **common):
        super().__init__(**common)
        self.angle = angle


def test_options_of_a_class_are_its_own_and_those_it_hands_on():
    assert list(options(Leaf)) == ["size", "colour"]
    assert set(options(Twig)) == {"angle", "size", "colour"}
    assert constructors(Twig) == [Twig.__init__, Leaf.__init__] and constructors(Leaf) == [Leaf.__init__]
    assert hands_on(Twig.__init__) and not hands_on(Leaf.__init__)


def test_keras_and_its_heirs():
    import keras

    class Layer(keras.layers.Layer):
        def __init__(self, width: int, **kwargs):
            super().__init__(**kwargs)

    assert is_keras(Layer) and is_keras(keras.optimizers.SGD) and not is_keras(Leaf)
    assert list(options(Layer)) == ["width"]
    check(Layer, {"width": 3, "name": "x", "dtype": "float32"}, "layer")


def test_the_nearest_name_or_all_when_few():
    assert nearest("num_head", ["num_heads", "num_layers"]) == "Did you mean 'num_heads'?"
    assert nearest("zzz", ["a", "b"]) == "There are: a, b."
    assert nearest("zzz", [f"option{n}" for n in range(30)]) == ""
    assert below(None, "a") == "a" and below("a", 0) == "a.0"


@pytest.mark.parametrize(
    ("given", "path", "message"),
    [
        ({"siez": 3}, "x.siez", r"Leaf has no option 'siez'\. Did you mean 'size'\?"),
        ({}, None, "Leaf needs the option 'size'"),
        ({"size": "many"}, "x.size", r"'many' is not a whole number\."),
        ({"size": 3.5}, "x.size", "not a whole number"),
        ({"size": True}, "x.size", "not a whole number"),
        ({"size": 3, "colour": 7}, "x.colour", "7 is not text"),
    ],
)
def test_check_names_path_value_and_way_out(given, path, message):
    with pytest.raises(RecipeError, match=message) as raised:
        check(Leaf, given, "x")
    assert path is None or raised.value.path == path


def test_whole_numbers_pass_for_reals():
    check(Branch, {"leaf": {"type": "Leaf", "size": 1}, "weight": 2}, "x")


def test_a_size_is_positive():
    assert positive("size", 1) == 1
    for value in (0, -3):
        with pytest.raises(ValueError, match=f"^size: {value} is not positive\\.$"):
            positive("size", value)


def test_a_probability_of_dropping_is_below_one():
    assert below_one("dropout", 0.0) == 0.0 and below_one("dropout", 0.9) == 0.9
    for value in (-0.1, 1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=f"^dropout: {value} is not a probability below 1"):
            below_one("dropout", value)


def test_a_class_of_keras_needs_nothing_that_it_supplies_to_its_base():
    import keras

    known = options(keras.layers.Conv2D)
    assert "rank" not in known and known["filters"].default is known["filters"].empty
    check(keras.layers.Conv2D, {"filters": 3, "kernel_size": 3}, "x")


def test_what_a_constructor_fills_in_is_no_option():
    class Whole:
        def __init__(self, part, size=1, **further):
            pass

    class Filled(Whole):
        fills_in = ("part",)

        def __init__(self, width=2, **common):
            super().__init__(part=width, **common)

    assert list(options(Filled)) == ["width", "size"]


class Base:
    def __init__(self, first: int = 1, second: int = 2, third: int = 3, fourth: int = 4):
        pass


class Fixing(Base):
    def __init__(self, own: int = 0, fourth: int = 9, **common):
        super().__init__(own, second=5, fourth=fourth, **common)


def test_an_option_for_which_a_subclass_passes_its_own_value_is_none_of_its_options():
    assert list(options(Fixing)) == ["own", "fourth", "third"]
    assert options(Fixing)["fourth"].default == 9


def test_what_a_script_gives_is_checked_for_its_kind():
    class Tree:
        def __init__(self, size: int, dropout: float = 0.1, name: str | None = None, parts: list[int] | None = None):
            pass

    for values in (
        {"size": 2, "dropout": 1, "name": None, "parts": (1, 2)},
        {"size": np.int64(2), "dropout": np.float32(1)},
    ):
        check_given(Tree, values)
    check_given(Tree, {"size": object(), "dropout": None, "unknown": "2"})
    for name, value, told in (
        ("size", "2", "size: '2' is not a whole number."),
        ("size", 2.5, "size: 2.5 is not a whole number."),
        ("size", [2], r"size: \[2\] is not a whole number."),
        ("dropout", "0.1", "dropout: '0.1' is not a number."),
        ("name", 3, r"name: 3 is not text or empty"),
        ("parts", 3, "parts: 3 is not a list of which each is a whole number or empty"),
    ):
        with pytest.raises(ValueError, match=told):
            check_given(Tree, {name: value})


def test_a_constructor_refuses_text_in_place_of_a_number():
    from kt2t.data.vocabularies import Subwords
    from kt2t.decoding import Beam
    from kt2t.features import Text
    from kt2t.layers import Attention
    from kt2t.models import Transformer

    features = {"inputs": Text(9), "targets": Text(9)}
    sizes = {"hidden_dim": 8, "intermediate_dim": 8, "num_heads": 2}
    for make, told in (
        (lambda: Transformer(features, num_layers="2", **sizes), "num_layers: '2' is not a whole number"),
        (lambda: Transformer(features, num_layers=1, dropout="0.1", **sizes), "dropout: '0.1' is not a number"),
        (lambda: Attention("8"), "num_heads: '8' is not a whole number"),
        (lambda: Beam(beams="4"), "beams: '4' is not a whole number"),
        (lambda: Subwords("8000"), "size: '8000' is not a whole number"),
    ):
        with pytest.raises(ValueError, match=told):
            make()
