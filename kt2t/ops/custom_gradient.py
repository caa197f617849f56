"""Custom gradients for layers: recomputed activations, reversible blocks.

    def forward(f, g, x1, x2):
        y1 = x1 + f(x2)
        return y1, x2 + g(y1)

    def backward(f, g, kept, gradients):
        ...                                   # `f.pullback(x2)` runs f again and gives its gradients

    (y1, y2), losses = with_gradient(forward, backward, [Piece(f), Piece(g)], (x1, x2), keeps="outputs")

Between the two directions nothing is kept but the inputs, or the outputs. On both backends: weights are explicit, so their
gradients are exact; a piece draws the same random numbers each time it runs; what it assigns to variables, such as the
averages of batch normalization, and gives to `add_loss` is taken from the forward direction only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras
from keras import ops

from kt2t.ops import randomness
from kt2t.ops.autodiff import after, pullback, read
from kt2t.ops.collected import Collected

Tensor = Any


class Piece:
    """A layer as a function of tensors, for use in `with_gradient`.

    Args:
        layer: A built layer.
        function: Calls the layer; takes floating tensors and returns one tensor. By default the layer
            itself. It may capture other tensors, such as masks, in its closure.
    """

    def __init__(self, layer: keras.layers.Layer, function: Callable[..., Tensor] | None = None) -> None:
        self.layer = layer
        self._function = function or layer
        self._drawing: Callable[..., Any] | None = None
        trained = {id(variable) for variable in layer.trainable_variables}
        floats = [one for one in layer.variables if keras.backend.is_float_dtype(str(one.dtype))]
        self.weights = [one for one in floats if id(one) in trained]
        # Further float variables go the explicit way too, since in a step an earlier layer may have computed their values.
        self.explicit = [*self.weights, *(one for one in floats if id(one) not in trained)]
        self.others = [one for one in layer.variables if not any(one is other for other in floats)]

    def run(self, values: Sequence[Tensor], others: Sequence[Tensor], *inputs: Tensor) -> tuple[Tensor, Collected]:
        """Runs the layer with given values of its variables; returns the output, and its assignments and losses.

        It draws the same random numbers each time.
        """
        mapping = list(zip([*self.explicit, *self.others], [*values, *others], strict=True))
        scope = Collected(mapping)
        self._drawing = self._drawing or randomness.repeatable(_inside)
        return self._drawing(inputs[0], scope, self._function, inputs), scope


class BoundPiece:
    """A piece inside `forward` or `backward`, where its variables have given values. Calling it runs it forwards.

    Attributes:
        losses: The losses that it gave to `add_loss`.
        updates: Pairs of a variable and the value assigned to it.
        gradients: For each of its explicit variables, the sum of the gradients that were pulled back.
    """

    def __init__(self, piece: Piece, values: Sequence[Tensor], others: Sequence[Tensor]) -> None:
        self._piece, self._values, self._others = piece, list(values), list(others)
        self.losses: list[Tensor] = []
        self.updates: list[tuple[Any, Tensor]] = []
        self.gradients: list[Tensor] = [ops.zeros_like(value) for value in values]
        self._of_losses: Sequence[Tensor] = ()

    def __call__(self, *inputs: Tensor) -> Tensor:
        output, scope = self._piece.run(self._values, self._others, *inputs)
        self.losses += scope.losses
        self.updates += [(variable, scope.get_current_value(variable)) for variable in scope.variables]
        return output

    def pullback(self, *inputs: Tensor) -> tuple[Tensor, Callable[[Tensor], list[Tensor]]]:
        """Runs the piece again, inside `backward`, so that a gradient can be pulled back through it.

        Returns:
            The output, and a function from the gradient with respect to the output to the gradients with respect to the inputs.
            That function also adds to `gradients` those of the weights, including the gradients of the piece's own losses.
        """
        count = len(self._piece.weights)

        def again(*tensors: Tensor) -> list[Tensor]:
            values = [*tensors[:count], *self._values[count:]]
            output, scope = self._piece.run(values, self._others, *tensors[count:])
            return [output, *scope.losses]

        (output, *_), pull = pullback(again, [*self._values[:count], *inputs])

        def pulled(gradient: Tensor) -> list[Tensor]:
            found = pull([gradient, *self._of_losses])
            for place in range(count):
                self.gradients[place] = self.gradients[place] + found[place]
            return found[count:]

        return output, pulled

    def turned(self, of_losses: Sequence[Tensor]) -> BoundPiece:
        """Returns the copy of this piece that is passed to `backward`.

        Args:
            of_losses: The gradients with respect to the losses of the piece.
        """
        turned = BoundPiece(self._piece, self._values, self._others)
        turned._of_losses = of_losses
        return turned


def with_gradient(
    forward: Callable[..., Sequence[Tensor]],
    backward: Callable[..., Sequence[Tensor]],
    pieces: Sequence[Piece],
    inputs: Sequence[Tensor],
    keeps: Literal["inputs", "outputs"],
) -> tuple[list[Tensor], list[Tensor]]:
    """Runs `forward(*pieces, *inputs)` and uses `backward(*pieces, kept, gradients)` to compute its gradient.

    Args:
        forward: Takes the bound pieces and the inputs; calls each piece at most once; returns the outputs.
        backward: Takes the bound pieces, the kept tensors, and the gradients with respect to the outputs; returns the
            gradients with respect to the inputs. It runs every piece with `pullback`, and pulls its gradient back.
        pieces: All weights that `forward` uses belong to one of them.
        inputs: Floating tensors.
        keeps: Which tensors are kept for `backward`: `inputs` or `outputs`.

    Returns:
        The outputs, and what the pieces gave to `add_loss`: scalars that have a gradient, for the caller to add.

    Raises:
        ValueError: A layer is not built.
    """
    for piece in pieces:
        if not piece.layer.built:
            raise ValueError(f"{piece.layer.name}: a layer with a gradient of its own must be built before. Call it once.")
    sizes = [len(piece.explicit) for piece in pieces]
    explicit = [value for piece in pieces for value in read(piece.explicit)]
    others = [read(piece.others) for piece in pieces]
    counts: dict[str, list[int]] = {}
    assigned: list[Any] = []

    @ops.custom_gradient
    def run(*tensors: Tensor) -> tuple[tuple[Tensor, ...], Callable[..., Any]]:
        values, given = _split(tensors, [*sizes, len(inputs)])[:-1], tensors[sum(sizes) :]
        bound = [BoundPiece(*parts) for parts in zip(pieces, values, others, strict=True)]
        outputs = list(forward(*bound, *given))
        losses = [loss for piece in bound for loss in piece.losses]
        updates = [update for piece in bound for update in piece.updates]
        counts["losses"] = [len(piece.losses) for piece in bound]
        counts["all"] = [len(outputs), len(losses), len(updates)]
        assigned[:] = [variable for variable, _ in updates]
        kept = list(given) if keeps == "inputs" else outputs

        def gradient(*upstream: Any, **_: Any) -> tuple[Tensor, ...]:
            flat = upstream[0] if len(upstream) == 1 and isinstance(upstream[0], tuple | list) else upstream
            by_outputs, by_losses, _updates = _split(list(flat), [len(outputs), len(losses), len(updates)])
            of_losses = _split(by_losses, [len(piece.losses) for piece in bound])
            held = after(kept, by_outputs)
            turned = [piece.turned(one) for piece, one in zip(bound, of_losses, strict=True)]
            by_inputs = backward(*turned, held, by_outputs)
            return (*(one for piece in turned for one in piece.gradients), *by_inputs)

        return (*outputs, *losses, *(ops.stop_gradient(value) for _, value in updates)), gradient

    found = run(*explicit, *inputs)
    outputs, losses, values = _split(list(found), counts["all"])
    for variable, value in zip(assigned, values, strict=True):
        variable.assign(value)
    return outputs, losses


def _inside(_: Tensor, scope: Collected, function: Callable[..., Tensor], inputs: Sequence[Tensor]) -> Tensor:
    with scope:
        return function(*inputs)


def _split(tensors: Sequence[Any], sizes: Sequence[int]) -> list[list[Any]]:
    found, at = [], 0
    for size in sizes:
        found.append(list(tensors[at : at + size]))
        at += size
    return found
