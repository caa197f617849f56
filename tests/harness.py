"""One call that checks what every layer must do: shapes, dtypes, gradients, config, saving, randomness, compilation.

On TensorFlow the checks call a layer eagerly. On JAX an eager call compiles every operation by itself, so there a layer is
built symbolically, and all numbers come from one compiled function for each mode (inference, training, gradient).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops, tree

from kt2t.ops import randomness
from kt2t.ops.paths import attribute_paths
from kt2t.registry import build, describe

KERAS_OPTIONS = ("name", "dtype", "trainable")
ON_JAX = keras.backend.backend() == "jax"
SEED = 5
counted_on_tensorflow = pytest.mark.skipif(ON_JAX, reason="a number of weights is the same on every backend")
Make = Callable[..., keras.layers.Layer]


def check_layer(
    make: Make,
    *inputs: Any,
    shape: tuple[int, ...],
    weights: dict[str, tuple[int, ...]] | None = None,
    has_dropout: bool = False,
    bfloat16: bool = True,
    without_gradient: tuple[str, ...] = (),
    atol: float = 1e-5,
    **options: Any,
) -> keras.layers.Layer:
    """Checks a layer and returns it, built.

    Args:
        make: Makes the layer; takes Keras's `dtype`.
        inputs: Positional arguments of the call, NumPy arrays or None.
        shape: Of the output.
        weights: Attribute path → shape of every weight, if given.
        has_dropout: Whether training differs from inference.
        bfloat16: Whether the layer is checked under mixed_bfloat16 too.
        without_gradient: Paths of weights that no gradient need reach.
        atol: Between eager and compiled, and between a layer and its copy.
        options: Further named arguments of the call.
    """
    keras.utils.set_random_seed(1)
    layer = built(make(), *inputs, **options)
    output = numbers(forward(layer)(*inputs, **options))
    assert layer.built
    assert output.shape == shape, f"output is {output.shape}, expected {shape}"
    assert np.isfinite(output).all()
    assert str(output.dtype) == "float32"
    if weights is not None:
        found = {path: tuple(weight.shape) for path, weight in attribute_paths(layer).items()}
        assert found == weights
    check_symbolic(layer, inputs, options, shape)
    check_config(layer)
    check_copy(layer, inputs, options, output, atol)
    check_gradients(layer, inputs, options, without_gradient)
    check_randomness(layer, inputs, options, output, has_dropout, atol)
    check_compiled(layer, inputs, options, output, has_dropout, atol)
    if bfloat16:
        check_bfloat16(make, inputs, options, output)
    return layer


def numbers(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


def built(layer: keras.layers.Layer, *inputs: Any, **options: Any) -> keras.layers.Layer:
    """The layer with its weights, made by a call: eager on TensorFlow, symbolic on JAX."""
    if ON_JAX:
        symbolic(layer, inputs, options)
    else:
        layer(*inputs, **options)
    return layer


def check_symbolic(layer: keras.layers.Layer, inputs: Any, options: Any, shape: tuple[int, ...]) -> None:
    """The shape is known without numbers, with an open batch."""
    output = symbolic(layer, inputs, options)
    assert tuple(output.shape)[1:] == shape[1:], f"symbolic output is {output.shape}, expected {shape}"


def symbolic(layer: keras.layers.Layer, inputs: Any, options: Any) -> Any:
    """What the layer returns for symbols in place of the inputs, with an open batch."""
    if not _is_floating(inputs[0]):
        symbols = [None if x is None else keras.Input(x.shape[1:], dtype=x.dtype.name) for x in inputs]
    else:
        symbols = [None if x is None else keras.KerasTensor((None, *x.shape[1:]), str(x.dtype)) for x in inputs]
    return layer(*symbols, **options)


def check_config(layer: keras.layers.Layer) -> None:
    """The node builds the same layer, is plain values, and Keras's config round-trips through JSON."""
    node = describe(layer)
    assert describe(build(node)) == node
    full = describe(layer, full=True)
    assert describe(build(full), full=True) == full
    assert json.loads(json.dumps(node)) == node
    config = json.loads(json.dumps(layer.get_config()))
    again = describe(type(layer).from_config(config))
    assert {name: value for name, value in again.items() if name in node or name not in KERAS_OPTIONS} == node


def check_copy(layer: keras.layers.Layer, inputs: Any, options: Any, output: np.ndarray, atol: float) -> None:
    """A layer from the saved config with the saved weights computes the same."""
    saved = keras.saving.serialize_keras_object(layer)
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(saved)))
    built(copy, *inputs, **options)
    originals, copies = attribute_paths(layer), attribute_paths(copy)
    assert list(originals) == list(copies)
    for path, weight in originals.items():
        copies[path].assign(weight)
    np.testing.assert_allclose(numbers(forward(copy)(*inputs, **options)), output, atol=atol)


def check_gradients(layer: keras.layers.Layer, inputs: Any, options: Any, without: tuple[str, ...]) -> None:
    """The gradient of a random projection of the output is finite everywhere and reaches every weight."""
    paths = attribute_paths(layer)
    found = gradients(layer, inputs, options)
    for path, weight in paths.items():
        if not weight.trainable:
            continue
        gradient = found[path]
        assert gradient is not None, f"no gradient reaches {path}"
        assert np.isfinite(gradient).all(), f"the gradient of {path} is not finite"
        assert path in without or np.abs(gradient).max() > 0, f"the gradient of {path} is zero"


def gradients(layer: keras.layers.Layer, inputs: Any, options: Any) -> dict[str, np.ndarray | None]:
    """The gradient of a fixed random projection of the output, for every trainable weight by its path."""
    paths = {path: weight for path, weight in attribute_paths(layer).items() if weight.trainable}
    if not paths:
        return {}
    if ON_JAX:
        return _jax_gradients(layer, paths, inputs, options)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = _projection(layer(*inputs, **options))
    found = tape.gradient(loss, [weight.value for weight in paths.values()])
    return {
        path: None if gradient is None else numbers(tf.convert_to_tensor(gradient))
        for path, gradient in zip(paths, found, strict=True)
    }


def check_randomness(
    layer: keras.layers.Layer, inputs: Any, options: Any, output: np.ndarray, has_dropout: bool, atol: float
) -> None:
    """Inference is the same twice; training differs from it only with dropout, and is a function of seed and step."""
    np.testing.assert_allclose(numbers(forward(layer, training=False)(*inputs, **options)), output, atol=atol)
    loose = forward(layer, training=True)
    if not has_dropout:
        np.testing.assert_allclose(numbers(loose(*inputs, **options)), output, atol=atol)
        return
    randomness.name_layers(layer)
    train = rooted(layer)
    first, again, later = (numbers(train(step, *inputs, **options)) for step in (3, 3, 4))
    assert np.abs(first - output).max() > 1e-3, "training drops nothing"
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - later).max() > 1e-3, "two steps drop the same"
    drawn = [numbers(loose(*inputs, **options)) for _ in range(2)]
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-3, "without a root two calls drop the same"


def check_compiled(
    layer: keras.layers.Layer, inputs: Any, options: Any, output: np.ndarray, has_dropout: bool, atol: float
) -> None:
    """Compiled equals eager; on TensorFlow in training too, with the step as a tensor. On JAX all is compiled."""
    if ON_JAX:
        return
    np.testing.assert_allclose(numbers(compiled(lambda *x: layer(*x, **options))(*inputs)), output, atol=atol)
    if has_dropout:

        def train(step: Any, *x: Any) -> Any:
            with randomness.root(SEED, step):
                return layer(*x, **options, training=True)

        traced, eager = compiled(train), rooted(layer)
        for step in (3, 4):
            drawn = numbers(traced(np.asarray(step, "int32"), *inputs))
            np.testing.assert_allclose(drawn, numbers(eager(step, *inputs, **options)), atol=atol)


def check_bfloat16(make: Make, inputs: Any, options: Any, output: np.ndarray) -> None:
    """Under mixed_bfloat16 the weights stay float32, the output is bfloat16, finite and near."""
    keras.utils.set_random_seed(1)
    layer = make(dtype="mixed_bfloat16")
    halves = [ops.cast(x, "bfloat16") if _is_floating(x) else x for x in inputs]
    half = forward(built(layer, *halves, **options))(*halves, **options)
    assert keras.backend.standardize_dtype(half.dtype) == "bfloat16"
    for path, weight in attribute_paths(layer).items():
        assert keras.backend.standardize_dtype(weight.dtype) == "float32", f"{path} is {weight.dtype}"
    close = numbers(ops.cast(half, "float32"))
    np.testing.assert_allclose(close, output, atol=0.06 * max(1.0, np.abs(output).max()))


def forward(layer: Any, **mode: Any) -> Callable[..., Any]:
    """`layer(*inputs, **options, **mode)`, as one computation on JAX; there the call that builds a layer is eager.

    Args:
        mode: `training`, or nothing.
    """
    if not ON_JAX:
        return lambda *inputs, **options: layer(*inputs, **options, **mode)
    return stateless(layer, lambda *inputs, **options: layer(*inputs, **options, **mode))


def rooted(layer: Any) -> Callable[..., Any]:
    """`(step, *inputs, **options)` → the layer's output in training at that step, as one computation on JAX."""

    def train(step: Any, *inputs: Any, **options: Any) -> Any:
        with randomness.root(SEED, step):
            return layer(*inputs, **options, training=True)

    if not ON_JAX:
        return train
    call = stateless(layer, train)
    return lambda step, *inputs, **options: call(np.asarray(step, "int32"), *inputs, **options)


def stateless(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    """A call compiled by JAX, with the layer's variables as arguments; what it changes in them is written back."""
    import jax

    @functools.partial(jax.jit, static_argnums=0)
    def pure(known: Known, values: Any, arrays: Any) -> Any:
        inputs, options = known.together(arrays)
        with keras.StatelessScope(list(zip(_variables(layer), values, strict=True))) as scope:
            output = call(*inputs, **options)
        return output, [scope.get_current_value(variable) for variable in _variables(layer)]

    def run(*inputs: Any, **options: Any) -> Any:
        if not layer.built:
            return call(*inputs, **options)
        known = Known(inputs, options)
        output, values = pure(known, [variable.value for variable in _variables(layer)], known.arrays)
        for variable, value in zip(_variables(layer), values, strict=True):
            variable.assign(value)
        return output

    return run


class Known:
    """The arguments of a call, divided into arrays and what is known while a function is traced, such as masks by rule."""

    def __init__(self, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        given = {**{str(number): value for number, value in enumerate(inputs)}, **options}
        self.arrays = {name: value for name, value in given.items() if isinstance(value, dict) or _is_array(value)}
        self._others = {name: value for name, value in given.items() if name not in self.arrays}
        self._count = len(inputs)

    def together(self, arrays: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        given = {**arrays, **self._others}
        return [given.pop(str(number)) for number in range(self._count)], given

    def __eq__(self, other: Any) -> bool:
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        plain = (bool, int, float, str)
        others = ((name, value if isinstance(value, plain) else id(value)) for name, value in self._others.items())
        return self._count, *others


def _variables(layer: Any) -> list[Any]:
    return [*layer.variables, *layer.metrics_variables]


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function compiled for the backend in use, sizes of arrays open where it can."""
    if ON_JAX:
        import jax

        return jax.jit(function)
    import tensorflow as tf

    def traced(*inputs: Any) -> Any:
        open_ = [None if x is None else tf.TensorSpec([None] * np.ndim(x), np.asarray(x).dtype) for x in inputs]
        # The last axis of hidden states is a model's width and always known.
        for index, x in enumerate(inputs):
            if x is not None and _is_floating(x) and np.ndim(x) > 1:
                open_[index] = tf.TensorSpec([*[None] * (np.ndim(x) - 1), np.shape(x)[-1]], np.asarray(x).dtype)
        given = [spec for spec in open_ if spec is not None]

        @tf.function(input_signature=given, jit_compile=False)
        def run(*present: Any) -> Any:
            arrays = iter(present)
            return function(*[None if spec is None else next(arrays) for spec in open_])

        return run(*[x for x in inputs if x is not None])

    return traced


def _projection(output: Any) -> Any:
    total = 0.0
    for part in tree.flatten(output):
        weights = np.random.default_rng(0).normal(size=tuple(part.shape)).astype("float32")
        total = total + ops.sum(ops.cast(part, "float32") * weights)
    return total


def _jax_gradients(layer: Any, paths: dict[str, Any], inputs: Any, options: Any) -> dict[str, np.ndarray]:
    import jax

    trainable = list(layer.trainable_variables)
    fixed = [variable.value for variable in layer.non_trainable_variables]
    switches = {name: value for name, value in options.items() if not _is_array(value)}  # known while tracing
    options = {name: value for name, value in options.items() if name not in switches}

    @jax.jit
    def gradient(values: Any, fixed: Any, inputs: Any, options: Any) -> Any:
        def loss(values: Any) -> Any:
            output, _ = layer.stateless_call(values, fixed, *inputs, **options, **switches)
            return _projection(output)

        return jax.grad(loss)(values)

    found = gradient([variable.value for variable in trainable], fixed, inputs, options)
    by_id = {id(variable): np.asarray(gradient) for variable, gradient in zip(trainable, found, strict=True)}
    return {path: by_id[id(weight)] for path, weight in paths.items()}


def _is_array(x: Any) -> bool:
    return x is None or hasattr(x, "shape")


def _is_floating(x: Any) -> bool:
    return x is not None and np.issubdtype(np.asarray(x).dtype, np.floating)
