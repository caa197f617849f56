"""Attribute paths are what a reader of the model would call its parts."""

from __future__ import annotations

import keras
import numpy as np

from kt2t.ops.paths import attribute_paths, layer_paths


class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.first = keras.layers.Dense(3)
        self.norm = keras.layers.LayerNormalization()

    def call(self, x):
        return self.norm(self.first(x))


class Stack(keras.Model):
    def __init__(self):
        super().__init__()
        self.scale = self.add_weight(shape=(3,), name="whatever", initializer="ones")
        self.blocks = [Block(), Block()]
        self.heads = {"b": keras.layers.Dense(2), "a": keras.layers.Dense(2, use_bias=False)}
        self.again = self.blocks[0].first
        self.tail = keras.Sequential([keras.layers.Dense(4), keras.layers.Dropout(0.1)])
        self.nothing = None

    def call(self, x):
        x = x * self.scale
        for block in self.blocks:
            x = block(x)
        return self.tail(self.again(x)), self.heads["a"](x), self.heads["b"](x)


def built():
    model = Stack()
    model(np.ones((2, 3), "float32"))
    return model


def test_paths_follow_the_attributes_in_order_of_definition():
    assert list(attribute_paths(built())) == [
        "scale",
        *(
            f"blocks.{i}.{weight}"
            for i in (0, 1)
            for weight in ("first.kernel", "first.bias", "norm.gamma", "norm.beta")
        ),
        "heads.b.kernel",
        "heads.b.bias",
        "heads.a.kernel",
        "tail.layers.0.kernel",
        "tail.layers.0.bias",
    ]


def test_every_weight_has_exactly_one_path():
    model = built()
    paths = attribute_paths(model)
    assert {id(weight) for weight in paths.values()} == {id(weight) for weight in model.weights}
    assert len(paths) == len(model.weights)


def test_paths_do_not_depend_on_what_was_made_before_or_on_compiling():
    first = built()
    keras.layers.Dense(1).build((None, 3))
    second = built()
    second.compile(optimizer="adam", loss="mse")
    assert list(attribute_paths(first)) == list(attribute_paths(second))


def test_layers_have_paths_too_and_the_root_is_empty():
    model = built()
    paths = layer_paths(model)
    assert paths[""] is model
    assert paths["blocks.1.norm"] is model.blocks[1].norm
    assert "again" not in paths
    assert isinstance(paths["tail.layers.1"], keras.layers.Dropout)


def test_seed_states_and_metrics_are_not_weights():
    model = built()
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    assert not [path for path in attribute_paths(model) if "seed" in path or "metric" in path]
